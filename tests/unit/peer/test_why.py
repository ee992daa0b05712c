"""Why, a case each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from natcore.address import TransportAddress
from natcore.channel import TimelineEntry, TimelineEvent
from natcore.control.messages import FaultCode
from natcore.discovery import DiscoveryReport, Known, WanSide
from natcore.errors import PeerError
from natcore.hardnat import GiveUpReason, HardNatLimits, Plan, Role, SideSummary, Technique, plan
from natcore.ice import CandidateType, FailureReason, Path
from natcore.nat import FilteringBehavior, MappingBehavior, PortAllocation
from peer.check.verdict import ALLOW_UDP, ASK_THE_CARRIER, OPEN_A_PORT, SWITCH_OFF_SYMMETRIC
from peer.errors import (
    AwakeFailed,
    ChannelClosed,
    NoPath,
    PeerUnavailable,
    RegistrationFailed,
    ServerUnreachable,
)
from peer.why import AFTER_LOSS, MAX_ADDRESSES, Evidence, explain
from tests.unit.natcore.discovery.reports import UNSEEN, report_of, silent, symmetric

BASE, OURS, THEIRS = map(
    TransportAddress.parse, ("192.168.7.10:4000", "203.0.113.7:4000", "203.0.113.33:5000")
)
PATH = Path(kind=CandidateType.SERVER_REFLEXIVE, base=BASE, local=OURS, remote=THEIRS, rtt=0.04)
SYMMETRIC = SideSummary(
    mapping=MappingBehavior.ADDRESS_AND_PORT_DEPENDENT,
    filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
    allocation=PortAllocation.RANDOM,
    sockets=256,
    packets=2000,
)
STRICT = replace(SYMMETRIC, mapping=MappingBehavior.ENDPOINT_INDEPENDENT)
STRICT_IN_WORDS = "keeps one endpoint and lets in endpoints that it has sent to"
OPEN = replace(STRICT, filtering=FilteringBehavior.ENDPOINT_INDEPENDENT)
BLOCKED = replace(STRICT, udp_blocked=True)
COURSE = (
    TimelineEntry(at=0.0, event=TimelineEvent.INTRODUCED, detail="anna offers srflx 203.0.113.33:5000"),
    TimelineEntry(at=0.0, event=TimelineEvent.CHECKS_BEGUN, detail=f"to {THEIRS}"),
    TimelineEntry(at=0.0205, event=TimelineEvent.CHECK_RECEIVED, detail=f"from {THEIRS}"),
    TimelineEntry(at=1.5, event=TimelineEvent.PATH_CONFIRMED, detail=str(PATH)),
)


def planned(own: SideSummary, peer: SideSummary) -> Plan:
    return plan(own, peer, HardNatLimits())


def no_path(reason: str) -> NoPath:
    return NoPath(peer="anna", reason=reason, detail="10 checks", packets_sent=10)


def advice(sentences: tuple[str, ...]) -> list[str]:
    start = "what would help: "
    return [one.removeprefix(start) for one in sentences if one.startswith(start)]


# --- a path -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "technique", "how"),
    [
        (PATH, Technique.PLAIN, "by plain checks to where the server sees anna: each side's first packet"),
        (replace(PATH, kind=CandidateType.PEER_REFLEXIVE), Technique.PLAIN, "a port that the server had not"),
        (replace(PATH, kind=CandidateType.HOST), Technique.PLAIN, "to an address of anna's own"),
        (replace(PATH, kind=CandidateType.HOST, local=BASE), Technique.PLAIN, "without a NAT in between"),
        (
            replace(PATH, is_mapped=True),
            Technique.MAPPED_PORT,
            "anna's gateway forwards a port to it, 203.0.113.33",
        ),
        (PATH, Technique.MAPPED_PORT, "your gateway forwards a port to you, 203.0.113.7:4000"),
        (PATH, Technique.PREDICTION, "by port prediction: "),
        (PATH, Technique.BIRTHDAY, "by birthday probing: "),
    ],
)
def test_a_path_is_said_with_its_technique(path: Path, technique: Technique, how: str) -> None:
    (sentence,) = explain(Evidence(peer="anna", path=path, technique=technique))
    assert sentence.startswith(f"the path from {path.local} to anna at {THEIRS} was found by ")
    assert how in sentence


def test_what_both_nats_do_and_when_what_came_is_said() -> None:
    said = explain(Evidence(peer="anna", path=PATH, own_nat=report_of(), peer_nat=OPEN, timeline=COURSE))
    came = f"the first one from {THEIRS} came after 20.5 ms"
    assert said[1:] == (
        f"your NAT: {STRICT_IN_WORDS}; anna's NAT: keeps one endpoint and lets in everybody",
        f"checks went to {THEIRS}; of anna's, {came}, the path was confirmed after 1.50 s",
    )


RENEWED = (
    TimelineEntry(at=34.0, event=TimelineEvent.RENEWED, detail="anna offers srflx 203.0.113.33:6000"),
    TimelineEntry(at=34.0, event=TimelineEvent.CHECKS_BEGUN, detail="to 203.0.113.33:6000"),
)
REPAIRED = (
    *RENEWED,
    TimelineEntry(at=34.03, event=TimelineEvent.CHECK_RECEIVED, detail="from 203.0.113.33:6000"),
    TimelineEntry(at=34.04, event=TimelineEvent.PATH_MOVED, detail="..."),
)


def test_after_a_repair_the_times_are_those_of_the_search_that_found_the_path_in_use() -> None:
    said = explain(Evidence(peer="anna", path=PATH, timeline=(*COURSE, *REPAIRED)))
    came = "the first one from 203.0.113.33:6000 came after 30.0 ms"
    assert said[1] == (
        "in the search that began 34.00 s after the introduction, checks went to 203.0.113.33:6000; "
        f"of anna's, {came}, the path was confirmed after 40.0 ms"
    )


@pytest.mark.parametrize("earlier", [(), REPAIRED])
def test_a_search_that_found_nothing_so_far_tells_nothing_of_the_path_in_use(
    earlier: tuple[TimelineEntry, ...],
) -> None:
    before = Evidence(peer="anna", path=PATH, timeline=(*COURSE, *earlier))
    assert explain(replace(before, timeline=(*before.timeline, *RENEWED))) == explain(before)


def test_where_the_search_that_found_the_path_may_be_left_out_no_times_are_said() -> None:
    more = TimelineEntry(at=99.0, event=TimelineEvent.MORE_FOLLOWED, detail="9 left out")
    assert len(explain(Evidence(peer="anna", path=PATH, timeline=(*COURSE, *REPAIRED, more)))) == 1
    assert len(explain(Evidence(peer="anna", path=PATH, timeline=(*COURSE, more)))) == 2


def test_a_search_that_failed_is_told_of_as_the_newest_one() -> None:
    skipped = TimelineEntry(at=1.0, event=TimelineEvent.ATTEMPT_SKIPPED, detail="another one is under way")
    timeline = (*COURSE[:2], skipped, *RENEWED)
    said = explain(Evidence(peer="anna", timeline=timeline, error=no_path(FailureReason.SILENCE.value)))
    assert "nothing of anna's reached you" in said[0]
    assert said[2].endswith("checks went to 203.0.113.33:6000; of anna's, none came")


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (None, "your NAT: not measured; "),
        (report_of(translated=Known(False, "seen as we are")), "your NAT: there is none; "),
        (report_of(filtering=UNSEEN), "your NAT: could not be measured in full; "),
    ],
)
def test_our_nat_in_words(own: DiscoveryReport | None, words: str) -> None:
    said = explain(Evidence(peer="anna", path=PATH, own_nat=own, peer_nat=STRICT))
    assert said[1].startswith(words)


def test_an_unknown_nat_of_the_peers_is_said_to_be() -> None:
    said = explain(Evidence(peer="anna", path=PATH, own_nat=report_of()))
    assert said[1].endswith("; anna's NAT: unknown")


def test_an_attempt_on_hard_nats_is_said_with_its_cost_and_its_odds() -> None:
    made = planned(STRICT, SYMMETRIC)
    said = explain(Evidence(peer="anna", path=PATH, plan=made, technique=made.technique))
    assert said[1] == (
        "birthday probing was planned: 1850 packets of yours at most, from the one socket; "
        "over 99% of such attempts meet"
    )
    made = planned(SYMMETRIC, STRICT)
    said = explain(Evidence(peer="anna", path=PATH, plan=made, technique=made.technique))
    assert "from 256 further sockets" in said[1]


@pytest.mark.parametrize(("count", "further"), [(MAX_ADDRESSES, ""), (MAX_ADDRESSES + 2, " and 2 more")])
def test_addresses_are_named_up_to_a_limit(count: int, further: str) -> None:
    begun = tuple(
        TimelineEntry(at=0.0, event=TimelineEvent.CHECKS_BEGUN, detail=f"to 192.0.2.{number}:1")
        for number in range(count)
    )
    said = explain(Evidence(peer="anna", timeline=begun, error=no_path("none in time")))
    named = ", ".join(f"192.0.2.{number}:1" for number in range(MAX_ADDRESSES))
    assert f"checks went to {named}{further}; of anna's, none came" in said


def test_a_lost_path_comes_first_with_what_to_do() -> None:
    lost = no_path(FailureReason.CONSENT_EXPIRED.value)
    said = explain(Evidence(peer="anna", path=PATH, error=lost))
    assert said[0] == "there is no path any more: no direct path to anna: the path went silent (10 checks)"
    assert said[1].startswith("the path from ")
    assert advice(said) == [AFTER_LOSS]


def test_a_path_that_is_lost_at_the_moment_is_not_said_to_be_there() -> None:
    lost = TimelineEntry(at=34.0, event=TimelineEvent.PATH_LOST, detail="no answer on the path for 30 s")
    sentences = explain(Evidence(peer="anna", path=PATH, timeline=(lost,), is_lost=True))
    why = "no answer on the path for 30 s"
    assert sentences[0] == f"there is no path to anna now ({why}): another is looked for; of the last one:"
    assert "was found" in sentences[1]


def test_a_path_in_doubt_is_said_to_be() -> None:
    sentences = explain(Evidence(peer="anna", path=PATH, is_in_doubt=True))
    assert sentences[0] == "anna does not answer on the path at the moment: another is looked for"
    assert "was found" in sentences[1]


def test_a_closed_channel_is_no_failure() -> None:
    closed = ChannelClosed(peer="anna", detail="closed by anna")
    said = explain(Evidence(peer="anna", path=PATH, error=closed))
    assert said[0].startswith("the path from ")
    assert said[-1] == "by now: the channel with anna is closed: closed by anna"


def test_an_attempt_under_way_is_said_to_be() -> None:
    said = explain(Evidence(peer="anna", timeline=COURSE[:2]))
    assert said[0] == "no path to anna yet: it is being looked for"
    assert said[1].startswith("checks went to ")


# --- no path ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "why", "help_"),
    [
        (ServerUnreachable(server="s", detail="refused"), "it cannot be used", "that TCP to it is let out"),
        (
            RegistrationFailed(client_id="elsa", code=FaultCode.DUPLICATE_ID, reason="taken"),
            "the server did not take your id",
            "take another id",
        ),
        (AwakeFailed(detail="x"), "the server sees none of your datagrams", f"on your side: {ALLOW_UDP}"),
        (
            PeerUnavailable(peer="anna", code=FaultCode.UNKNOWN_CLIENT, reason="x"),
            "nobody called anna is registered",
            "check the spelling, and that anna runs",
        ),
        (
            PeerUnavailable(peer="anna", code=FaultCode.CLIENT_ASLEEP, reason="x"),
            "anna is Asleep",
            "let anna type @awake",
        ),
        (
            PeerUnavailable(peer="anna", code=FaultCode.YOU_ARE_ASLEEP, reason="x"),
            "you are Asleep",
            "wake again",
        ),
        (
            PeerUnavailable(peer="anna", code=FaultCode.TOO_FAST, reason="x"),
            "too many introductions",
            "wait some seconds",
        ),
        (ChannelClosed(peer="anna", detail="closed by anna"), "one of the two sides closed", "connect again"),
        (no_path(FailureReason.NO_CANDIDATES.value), "anna offers no address", "have IPv4, or IPv6"),
        (no_path(FailureReason.REJECTED.value), "anna turned your checks down", "let anna start anew"),
        (
            no_path(FailureReason.ONE_WAY.value),
            "anna's checks reached you, but no answer",
            "in one direction",
        ),
        (no_path(FailureReason.SILENCE.value), "nothing of anna's reached you", "see that anna still runs"),
        (no_path("none was found in time"), "in the time that there was", "--timeout SECONDS"),
    ],
)
def test_a_failure_is_said_with_what_was_seen_and_what_would_help(
    error: PeerError, why: str, help_: str
) -> None:
    said = explain(Evidence(peer="anna", error=error))
    assert said[0].startswith("there is no path: ")
    assert why in said[0]
    assert said[1] == f"seen: {error}"
    assert help_ in advice(said)[0]


@pytest.mark.parametrize(
    "error",
    [PeerUnavailable(peer="anna", code=FaultCode.NOT_REGISTERED, reason="gone"), PeerError("too long")],
)
def test_what_has_no_case_of_its_own_is_still_said(error: PeerError) -> None:
    said = explain(Evidence(peer="anna", error=error))
    assert (len(said), said[1]) == (2, f"seen: {error}")


HARD = no_path(FailureReason.HARD_NATS.value)


@pytest.mark.parametrize(
    ("own", "peer", "reason", "why"),
    [
        (STRICT, BLOCKED, GiveUpReason.UDP_BLOCKED, "lets no UDP pass"),
        (SYMMETRIC, SYMMETRIC, GiveUpReason.BOTH_UNPREDICTABLE, "cannot be foreseen"),
        (STRICT, replace(SYMMETRIC, sockets=4), GiveUpReason.TOO_EXPENSIVE, "hardly with the packets"),
    ],
)
def test_giving_up_is_said_with_the_reason_of_the_plan(
    own: SideSummary, peer: SideSummary, reason: GiveUpReason, why: str
) -> None:
    made = planned(own, peer)
    assert made.reason is reason
    assert why in explain(Evidence(peer="anna", plan=made, error=HARD))[0]


@pytest.mark.parametrize(
    ("technique", "why"),
    [
        (Technique.PREDICTION, "ports were predicted and tried"),
        (Technique.BIRTHDAY, "no two met"),
        (Technique.MAPPED_PORT, "nothing came through it"),
    ],
)
def test_an_attempt_that_has_failed_is_said_to_have(technique: Technique, why: str) -> None:
    made = replace(planned(STRICT, SYMMETRIC), technique=technique, role=Role.SPRAY)
    assert why in explain(Evidence(peer="anna", plan=made, error=HARD))[0]


@pytest.mark.parametrize("event", [TimelineEvent.ATTEMPT_SKIPPED, TimelineEvent.ATTEMPT_DELAYED])
def test_an_attempt_that_was_not_made_is_not_said_to_have_failed(event: TimelineEvent) -> None:
    hindered = TimelineEntry(at=0.0, event=event, detail="another one is under way")
    made = planned(STRICT, SYMMETRIC)
    said = explain(Evidence(peer="anna", plan=made, timeline=(hindered,), error=HARD))
    assert said[0].endswith("not possible now: another one is under way")


def test_an_attempt_that_was_made_late_is_said_to_have_failed() -> None:
    delayed = TimelineEntry(at=0.0, event=TimelineEvent.ATTEMPT_DELAYED, detail="another one is under way")
    begun = TimelineEntry(at=1.0, event=TimelineEvent.ATTEMPT_BEGUN, detail="birthday probing")
    made = planned(STRICT, SYMMETRIC)
    said = explain(Evidence(peer="anna", plan=made, timeline=(delayed, begun), error=HARD))
    assert said[0].endswith("no two met")


# --- what either side could change --------------------------------------------------------------------------

SILENT = no_path(FailureReason.SILENCE.value)


@pytest.mark.parametrize(
    ("own", "peer", "helps"),
    [
        (
            report_of(symmetric()),
            None,
            [f"on your side: {OPEN_A_PORT}", f"on your side: {SWITCH_OFF_SYMMETRIC}"],
        ),
        (
            report_of(symmetric(), wan_side=Known(WanSide.CARRIER, "seen")),
            None,
            [f"on your side: {ASK_THE_CARRIER}"],
        ),
        (silent(is_blocked=True), None, [f"on your side: {ALLOW_UDP}"]),
        (None, SYMMETRIC, [f"on anna's side: {OPEN_A_PORT}", f"on anna's side: {SWITCH_OFF_SYMMETRIC}"]),
        (None, STRICT, [f"on anna's side: {OPEN_A_PORT}"]),
        (None, BLOCKED, [f"on anna's side: {ALLOW_UDP}"]),
        (report_of(), STRICT, [f"on your side: {OPEN_A_PORT}", f"on anna's side: {OPEN_A_PORT}"]),
    ],
)
def test_what_each_side_could_change(
    own: DiscoveryReport | None, peer: SideSummary | None, helps: list[str]
) -> None:
    said = explain(Evidence(peer="anna", own_nat=own, peer_nat=peer, error=SILENT))
    if peer is None:
        assert advice(said)[1].startswith("connect again: anna had not said yet what its NAT does")
        helps = [advice(said)[1], *helps]
    assert advice(said)[1:] == helps


def test_nats_that_the_failure_names_are_not_named_again() -> None:
    made = planned(SYMMETRIC, SYMMETRIC)
    error = NoPath(peer="anna", reason=HARD.reason, detail=made.evidence, packets_sent=10)
    evidence = Evidence(peer="anna", own_nat=report_of(symmetric()), peer_nat=SYMMETRIC, plan=made)
    assert not any(one.startswith("your NAT") for one in explain(replace(evidence, error=error)))
    assert any(one.startswith("your NAT") for one in explain(replace(evidence, error=HARD)))


@pytest.mark.parametrize(
    "peer",
    [None, OPEN, SideSummary(), replace(SYMMETRIC, has_mapped_port=True), replace(STRICT, filtering=None)],
)
def test_where_nothing_is_to_be_changed_or_nothing_is_known_a_check_is_advised(
    peer: SideSummary | None,
) -> None:
    said = explain(Evidence(peer="anna", peer_nat=peer, error=SILENT))
    assert advice(said)[1:] == ["run peer check on both sides: it says what each NAT does and what to change"]


def test_nothing_that_came_from_the_network_can_drive_a_terminal() -> None:
    error = PeerUnavailable(peer="anna\x1b[2J", code=FaultCode.UNKNOWN_CLIENT, reason="\x1b]0;x\x07\u202e")
    timeline = (TimelineEntry(at=0.0, event=TimelineEvent.CHECKS_BEGUN, detail="to \x1b"),)
    said = "".join(explain(Evidence(peer="anna\x1b[2J", timeline=timeline, error=error)))
    assert not set(said) & {"\x1b", "\x07", "\u202e"}


def test_braces_in_an_id_or_a_reason_are_text() -> None:
    error = PeerUnavailable(peer="{0}", code=FaultCode.UNKNOWN_CLIENT, reason="{x}")
    assert "{0}" in explain(Evidence(peer="{0}", error=error))[0]
