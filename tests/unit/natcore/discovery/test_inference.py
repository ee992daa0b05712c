"""From questions to findings: every verdict, and every reason for having none."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from natcore.address import ReflexiveAddress, TransportAddress
from natcore.discovery import Allocation, Known, Unknown
from natcore.discovery import inference as infer
from natcore.discovery.config import DiscoveryConfig
from natcore.discovery.finding import Finding
from natcore.discovery.inference import CHANGE_BOTH, CHANGE_PORT
from natcore.discovery.plan import Role
from natcore.discovery.question import Question, plain
from natcore.discovery.trial import Trial, TrialState
from natcore.nat import FilteringBehavior, MappingBehavior, PortAllocation
from natcore.stun import ChangeRequest, TransactionId

HOST = ip_address("192.168.7.10")
EIM, ADM, APDM = MappingBehavior
EIF, ADF, APDF = FilteringBehavior


def base(number: int) -> TransportAddress:
    return TransportAddress(HOST, 40000 + number)


def at(text: str) -> TransportAddress:
    """``10:1`` is port 1 of 198.51.100.10."""
    return TransportAddress.parse(f"198.51.100.{text}")


def seen(port: int, ip: str = "203.0.113.7") -> ReflexiveAddress:
    return ReflexiveAddress(TransportAddress(ip_address(ip), port))


def asked(role: Role, number: int, destination: str, mapped: int | None, *, sent_at: float = 0.0) -> Question:
    """A question of the socket of that number, answered with that port."""
    question = plain(role, base(number), at(destination))
    question.mapped = None if mapped is None else seen(mapped)
    question.sent[TransactionId(bytes(12))] = sent_at
    return question


def socket(number: int, ports: dict[str, int | None]) -> list[Question]:
    """A mapping socket: what each endpoint saw."""
    return [asked(Role.MAPPING, number, destination, port) for destination, port in ports.items()]


def value(finding: Finding[object]) -> object:
    assert isinstance(finding, Known), finding
    return finding.value


def reason(finding: Finding[object]) -> str:
    assert isinstance(finding, Unknown), finding
    return finding.reason


# --- translation --------------------------------------------------------------------------------------------


def test_another_port_is_a_translation_too() -> None:
    question = plain(Role.SCOUT, base(0), at("10:1"))
    question.mapped = ReflexiveAddress(base(1))
    assert value(infer.translated(HOST, [question])) is True


def test_who_is_seen_as_it_is_is_not_translated() -> None:
    question = plain(Role.SCOUT, base(0), at("10:1"))
    question.mapped = ReflexiveAddress(base(0))
    assert value(infer.translated(HOST, [question])) is False


# --- mapping ------------------------------------------------------------------------------------------------

MAPPINGS: dict[str, tuple[dict[str, int | None], MappingBehavior]] = {
    "the same everywhere": ({"10:1": 5, "10:2": 5, "20:1": 5, "20:2": 5}, EIM),
    "one an address": ({"10:1": 5, "10:2": 5, "20:1": 6, "20:2": 6}, ADM),
    "one an endpoint": ({"10:1": 5, "10:2": 6, "20:1": 7, "20:2": 8}, APDM),
    "one a port": ({"10:1": 5, "10:2": 6}, APDM),
    "the same at two addresses": ({"10:1": 5, "20:1": 5}, EIM),
    "the same at two addresses, one port lost": ({"10:1": 5, "10:2": None, "20:2": 5}, EIM),
}


@pytest.mark.parametrize(("ports", "expected"), MAPPINGS.values(), ids=MAPPINGS)
def test_the_mapping_is_what_the_endpoints_saw(
    ports: dict[str, int | None], expected: MappingBehavior
) -> None:
    assert value(infer.mapping(socket(0, ports), is_translated=True)) is expected


UNKNOWN_MAPPINGS: dict[str, tuple[dict[str, int | None], str]] = {
    "nothing": ({"10:1": None}, "too few answers"),
    "one endpoint": ({"10:1": 5}, "only one endpoint"),
    "two ports that agree": ({"10:1": 5, "10:2": 5}, "with one address the server shows only"),
    "two addresses that differ": ({"10:1": 5, "20:1": 6}, "whether on its address or its port"),
}


@pytest.mark.parametrize(("ports", "words"), UNKNOWN_MAPPINGS.values(), ids=UNKNOWN_MAPPINGS)
def test_the_mapping_is_unknown_with_a_reason(ports: dict[str, int | None], words: str) -> None:
    assert words in reason(infer.mapping(socket(0, ports), is_translated=True))


def test_without_translation_the_mapping_needs_no_question() -> None:
    assert value(infer.mapping([], is_translated=False)) is EIM


def test_another_address_of_the_nat_is_another_mapping() -> None:
    questions = socket(0, {"10:1": 5, "10:2": 5})
    questions[1].mapped = seen(5, "203.0.113.8")
    assert value(infer.mapping(questions, is_translated=True)) is APDM


def test_a_socket_whose_port_collided_is_outvoted() -> None:
    odd: dict[str, int | None] = {"10:1": 5, "10:2": 6, "20:1": 5, "20:2": 5}
    questions = [*socket(0, odd), *socket(1, MAPPINGS["the same everywhere"][0])]
    assert "sockets differ" in reason(infer.mapping(questions, is_translated=True)), "one against one"
    questions += socket(2, MAPPINGS["the same everywhere"][0])
    assert value(infer.mapping(questions, is_translated=True)) is EIM


def test_three_sockets_that_differ_say_nothing() -> None:
    questions = [
        *socket(0, MAPPINGS["the same everywhere"][0]),
        *socket(1, MAPPINGS["one an address"][0]),
        *socket(2, MAPPINGS["one an endpoint"][0]),
    ]
    assert "sockets differ" in reason(infer.mapping(questions, is_translated=True))


def test_a_socket_that_saw_too_little_has_no_vote() -> None:
    questions = [*socket(0, MAPPINGS["one an address"][0]), *socket(1, {"10:1": 5})]
    assert value(infer.mapping(questions, is_translated=True)) is ADM


def test_only_the_mapping_sockets_tell_the_mapping() -> None:
    others = [asked(role, 0, f"{ip}:1", ip) for role in Role if role is not Role.MAPPING for ip in (10, 20)]
    assert isinstance(infer.mapping(others, is_translated=True), Unknown)


# --- filtering ----------------------------------------------------------------------------------------------


def filtering_trial(
    *answers: tuple[ChangeRequest, bool], state: TrialState = TrialState.CONCLUDED, number: int = 0
) -> Trial:
    """A trial whose answers came or did not."""
    doubtful = []
    for change, is_answered in answers:
        source = at("20:2") if change == CHANGE_BOTH else at("10:2")
        question = Question(
            role=Role.FILTERING,
            base=base(number),
            destination=at("10:1"),
            change=change,
            expected_source=source,
        )
        question.mapped = seen(5) if is_answered else None
        doubtful.append(question)
    control = plain(Role.FILTERING, base(number), at("10:1"))
    trial = Trial(
        doubtful=tuple(doubtful), control=control, config=DiscoveryConfig(), due_at=None, state=state
    )
    trial.rounds = 4
    return trial


FILTERS = {
    "all are let in": (((CHANGE_BOTH, True), (CHANGE_PORT, True)), EIF),
    "a stranger is let in, the other lost": (((CHANGE_BOTH, True), (CHANGE_PORT, False)), EIF),
    "a known address is let in": (((CHANGE_BOTH, False), (CHANGE_PORT, True)), ADF),
    "nobody is let in": (((CHANGE_BOTH, False), (CHANGE_PORT, False)), APDF),
}


@pytest.mark.parametrize(("answers", "expected"), FILTERS.values(), ids=FILTERS)
def test_the_filter_is_who_was_let_in(
    answers: Sequence[tuple[ChangeRequest, bool]], expected: FilteringBehavior
) -> None:
    assert value(infer.filtering([filtering_trial(*answers)], has_second_address=True)) is expected


def test_one_socket_that_lets_a_stranger_in_is_proof() -> None:
    silent = filtering_trial((CHANGE_BOTH, False), state=TrialState.SPOILED)
    open_one = filtering_trial((CHANGE_BOTH, True), number=1)
    assert value(infer.filtering([silent, open_one], has_second_address=True)) is EIF


@pytest.mark.parametrize("state", [one for one in TrialState if one is not TrialState.CONCLUDED])
def test_silence_in_a_trial_that_did_not_conclude_is_no_filter(state: TrialState) -> None:
    trial = filtering_trial((CHANGE_BOTH, False), (CHANGE_PORT, True), state=state)
    assert "tell silence from a filter" in reason(infer.filtering([trial], has_second_address=True))


def test_with_one_address_a_strange_port_that_is_let_in_leaves_two_filters() -> None:
    found = infer.filtering([filtering_trial((CHANGE_PORT, True))], has_second_address=False)
    assert "strange ports are let in" in reason(found)


def test_with_one_address_a_strange_port_that_is_kept_out_leaves_one() -> None:
    assert value(infer.filtering([filtering_trial((CHANGE_PORT, False))], has_second_address=False)) is APDF


def test_without_another_port_nothing_can_be_asked() -> None:
    assert "no server answers from another" in reason(infer.filtering([], has_second_address=False))


def test_a_server_that_refuses_is_no_filter() -> None:
    trial = filtering_trial((CHANGE_BOTH, False), (CHANGE_PORT, False))
    trial.doubtful[0].error = 420
    assert "error 420" in reason(infer.filtering([trial], has_second_address=True))


@pytest.mark.parametrize("is_answered", [False, True])
def test_a_server_that_answers_from_the_wrong_place_shows_no_filter(is_answered: bool) -> None:
    trial = filtering_trial((CHANGE_BOTH, is_answered), (CHANGE_PORT, is_answered))
    trial.doubtful[0].is_disobeyed = True
    assert "whatever it promises" in reason(infer.filtering([trial], has_second_address=True))


# --- allocation ---------------------------------------------------------------------------------------------


def named(questions: Sequence[Question]) -> Allocation:
    found = infer.allocation(questions, is_translated=True)
    assert isinstance(found, Known), found
    return found.value


def test_new_mappings_are_put_in_the_order_of_their_first_packets() -> None:
    ports = [5000, 5001, 5002, 5003, 5004]
    questions = [asked(Role.ALLOCATION, port, "10:1", port, sent_at=port) for port in ports]
    found = named(questions[::-1])
    assert (found.kind, found.step) == (PortAllocation.SEQUENTIAL, 1)


def test_a_mapping_that_is_used_again_is_no_new_one() -> None:
    questions = [
        asked(Role.MAPPING, number, f"10:{port}", 50 + number) for number in range(5) for port in (1, 2)
    ]
    assert named(questions).samples == 5


def test_a_symmetric_nat_gives_a_sample_for_each_endpoint() -> None:
    questions = [
        asked(Role.MAPPING, number, f"10:{port}", 50 + 4 * number + port, sent_at=number)
        for number in range(4)
        for port in range(1, 5)
    ]
    found = named(questions)
    assert (found.samples, found.step) == (16, 1)


def test_questions_that_died_on_the_way_or_asked_for_a_change_are_no_samples() -> None:
    hops = [asked(Role.HOP, number, "10:1", 50 + number) for number in range(5)]
    changed = [asked(Role.FILTERING, number, "10:1", 50 + number) for number in range(5)]
    for one in changed:
        one.change = CHANGE_BOTH
    found = infer.allocation([*hops, *changed], is_translated=True)
    assert reason(found) == "0 new mappings were seen, and it takes 4"


def test_without_translation_ports_are_preserved() -> None:
    questions = [asked(Role.ALLOCATION, number, "10:1", 40000 + number) for number in range(4)]
    assert value(infer.allocation(questions, is_translated=False)) == named(questions)
    assert named(questions).kind is PortAllocation.PRESERVING


# --- several addresses --------------------------------------------------------------------------------------

ONE = [ip_address("203.0.113.7")]
TWO = [*ONE, ip_address("203.0.113.8")]


def test_two_addresses_are_several_after_two_answers() -> None:
    assert value(infer.several_addresses(TWO, 2)) is True


@pytest.mark.parametrize(("answered", "expected"), [(3, None), (4, False)])
def test_one_address_is_the_only_one_after_four_answers(answered: int, expected: bool | None) -> None:
    finding = infer.several_addresses(ONE, answered)
    assert (finding.value if isinstance(finding, Known) else None) is expected


# --- hairpinning --------------------------------------------------------------------------------------------


def hairpin_trial(*, turned: bool = False, state: TrialState = TrialState.CONCLUDED) -> Trial:
    doubtful = tuple(plain(Role.HAIRPIN, base(number), seen(6 - number)) for number in (0, 1))
    doubtful[1].was_turned = turned
    control = plain(Role.HAIRPIN, base(0), at("10:1"))
    return Trial(doubtful=doubtful, control=control, config=DiscoveryConfig(), due_at=None, state=state)


def test_one_packet_that_came_back_in_is_proof_of_hairpinning() -> None:
    trial = hairpin_trial(turned=True, state=TrialState.SPOILED)
    assert value(infer.hairpinning(trial, is_translated=True)) is True


def test_silence_that_is_certain_is_no_hairpinning() -> None:
    assert value(infer.hairpinning(hairpin_trial(), is_translated=True)) is False


@pytest.mark.parametrize("state", [one for one in TrialState if one is not TrialState.CONCLUDED])
def test_silence_that_is_uncertain_is_nothing(state: TrialState) -> None:
    assert "tell silence" in reason(infer.hairpinning(hairpin_trial(state=state), is_translated=True))


def test_hairpinning_that_was_not_tried_is_unknown() -> None:
    assert "could not be learned" in reason(infer.hairpinning(None, is_translated=True))


def test_without_translation_nothing_turns_around() -> None:
    assert "nothing to turn" in reason(infer.hairpinning(hairpin_trial(turned=True), is_translated=False))
