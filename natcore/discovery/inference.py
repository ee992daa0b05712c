"""From answered and unanswered questions to findings. Pure; each function settles one property."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from natcore.address import IPAddress, TransportAddress
from natcore.discovery.allocation import MIN_SAMPLES, Allocation, name_allocation
from natcore.discovery.finding import Finding, Known, Unknown
from natcore.discovery.plan import Role
from natcore.discovery.question import TRY_LATER, Question
from natcore.discovery.trial import Trial, TrialState
from natcore.nat import FilteringBehavior, MappingBehavior, PortAllocation
from natcore.stun import ChangeRequest

CHANGE_BOTH = ChangeRequest(change_ip=True, change_port=True)
CHANGE_PORT = ChangeRequest(change_port=True)

UNTRANSLATED = "no address is translated"

_BEST_SERVER = "a rendezvous server with two addresses tells"


def translated(local: IPAddress, answered: Iterable[Question]) -> Finding[bool]:
    """Whether the internet sees us by another address or port than our own."""
    for question in answered:
        if question.mapped is not None and question.mapped != question.base:
            return Known(True, f"{question.base} is seen as {question.mapped}")
    return Known(False, f"{local} is seen as it is")


def mapping(questions: Sequence[Question], *, is_translated: bool) -> Finding[MappingBehavior]:
    """When mappings are reused: what most sockets show (RFC 5780 section 4.3)."""
    if not is_translated:
        return Known(MappingBehavior.ENDPOINT_INDEPENDENT, UNTRANSLATED)
    by_base: dict[TransportAddress, list[Question]] = {}
    for question in questions:
        if question.role is Role.MAPPING and question.is_answered:
            by_base.setdefault(question.base, []).append(question)
    verdicts = [_mapping_of_socket(asked) for asked in by_base.values()]
    known = [verdict for verdict in verdicts if isinstance(verdict, Known)]
    if not known:
        reasons = [verdict.reason for verdict in verdicts if isinstance(verdict, Unknown)]
        return Unknown(reasons[0] if reasons else "too few answers came to compare")
    votes = Counter(verdict.value for verdict in known)
    winner, count = votes.most_common(1)[0]
    if 2 * count <= len(known):
        return Unknown("sockets differ: " + "; ".join(verdict.evidence for verdict in known))
    return next(verdict for verdict in known if verdict.value is winner)


def _mapping_of_socket(asked: Sequence[Question]) -> Finding[MappingBehavior]:
    seen = {question.destination: question.mapped for question in asked}
    pairs = list(combinations(seen, 2))
    same_ip = [(one, other) for one, other in pairs if one.ip == other.ip]
    other_ip = [(one, other) for one, other in pairs if one.ip != other.ip]
    text = f"{asked[0].base} is seen as " + ", ".join(
        f"{mapped} by {destination}" for destination, mapped in seen.items()
    )
    if any(seen[one] != seen[other] for one, other in same_ip):
        return Known(MappingBehavior.ADDRESS_AND_PORT_DEPENDENT, text)
    if any(seen[one] != seen[other] for one, other in other_ip):
        if same_ip:
            return Known(MappingBehavior.ADDRESS_DEPENDENT, text)
        return Unknown(
            "it depends on the destination, but whether on its address or its port too, "
            f"{_BEST_SERVER} ({text})"
        )
    if other_ip:
        return Known(MappingBehavior.ENDPOINT_INDEPENDENT, text)
    if same_ip:
        return Unknown(
            "with one address the server shows only that the destination's port does not matter; "
            f"{_BEST_SERVER} more"
        )
    return Unknown(f"only one endpoint of a server has answered, and it takes two; {_BEST_SERVER} all")


def filtering(trials: Sequence[Trial], *, has_second_address: bool) -> Finding[FilteringBehavior]:
    """Who is let in to a mapping (RFC 5780 section 4.4).

    An answer from elsewhere is proof; silence counts only as far as the trials say.
    """
    doubtful = [one for trial in trials for one in trial.doubtful if one.role is Role.FILTERING]
    obstacle = _obstacle_to_filtering(doubtful)
    if obstacle is not None:
        return Unknown(obstacle)
    both = next((one for one in doubtful if one.change == CHANGE_BOTH and one.is_answered), None)
    if both is not None:
        evidence = f"an answer from {both.expected_source} came to a socket that had asked {both.destination}"
        return Known(FilteringBehavior.ENDPOINT_INDEPENDENT, evidence)
    if any(trial.state is not TrialState.CONCLUDED for trial in trials):
        return Unknown("too many packets get lost to tell silence from a filter")
    port = next((one for one in doubtful if one.change == CHANGE_PORT and one.is_answered), None)
    if port is not None and has_second_address:
        evidence = f"of the answers from elsewhere only the one from {port.expected_source} came"
        return Known(FilteringBehavior.ADDRESS_DEPENDENT, evidence)
    if port is not None:
        return Unknown(f"strange ports are let in; whether strange addresses are, {_BEST_SERVER}")
    sources = ", ".join(sorted({str(one.expected_source) for one in doubtful}))
    rounds = sum(trial.rounds for trial in trials)
    evidence = f"no answer came from {sources}, asked {rounds} times, while plain ones did"
    return Known(FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT, evidence)


def _obstacle_to_filtering(doubtful: Sequence[Question]) -> str | None:
    if not doubtful:
        return f"no server answers from another of its ports; {_BEST_SERVER}"
    if any(one.is_disobeyed for one in doubtful):
        return "the server does not answer from where it is asked to, whatever it promises"
    errors = {one.error for one in doubtful if one.error is not None}
    if TRY_LATER in errors:
        return f"the server is too busy to answer from elsewhere (error {TRY_LATER}); ask again in a minute"
    if errors:
        return f"the server refuses to answer from elsewhere (error {errors.pop()})"
    return None


def allocation(questions: Sequence[Question], *, is_translated: bool) -> Finding[Allocation]:
    """How ports are chosen, from every new mapping in the order in which they were made."""
    own = {one.base: one.mapped.port for one in reversed(_in_order(questions)) if one.mapped is not None}
    new = _new_ports(questions)
    found = name_allocation([(base.port, external) for base, external in own.items()], new)
    if found is None:
        return Unknown(f"{len(new)} new mappings were seen, and it takes {MIN_SAMPLES}")
    return Known(found, UNTRANSLATED if not is_translated else _ports_in_words(found, new))


def _new_ports(questions: Sequence[Question]) -> list[int]:
    """The external port of every new mapping, in the order in which they were made."""
    seen: dict[TransportAddress, set[TransportAddress]] = {}
    new = []
    for question in _in_order(questions):
        known = seen.setdefault(question.base, set())
        if question.mapped is not None and question.mapped not in known:
            known.add(question.mapped)
            new.append(question.mapped.port)
    return new


def _in_order(questions: Sequence[Question]) -> list[Question]:
    """The plain questions that were answered, as they were asked."""
    answered = [one for one in questions if one.mapped is not None and one.sent and one.change is None]
    return sorted((one for one in answered if one.role is not Role.HOP), key=_first_sent_at)


def _first_sent_at(question: Question) -> float:
    return next(iter(question.sent.values()))


def _ports_in_words(found: Allocation, new: Sequence[int]) -> str:
    shown = ", ".join(map(str, new[:8])) + (", …" if len(new) > 8 else "")
    if found.kind is PortAllocation.PRESERVING:
        return f"{found.samples} mappings, most of them by the host's own port"
    return f"{found.samples} new mappings got the ports {shown}"


def several_addresses(reflexive: Sequence[IPAddress], answered: int) -> Finding[bool]:
    """Whether more than one public address is used (RFC 4787 section 4.1, IP address pooling)."""
    if len(reflexive) > 1:
        return Known(True, "seen as " + ", ".join(map(str, reflexive)))
    if answered < MIN_SAMPLES:
        return Unknown(f"{answered} mappings were seen, and it takes {MIN_SAMPLES}")
    return Known(False, f"seen as {reflexive[0]} each of {answered} times")


def hairpinning(trial: Trial | None, *, is_translated: bool) -> Finding[bool]:
    """Whether two sockets reach each other by their public endpoints (RFC 5780 section 4.5)."""
    if not is_translated:
        return Unknown(f"{UNTRANSLATED}, so there is nothing to turn around")
    if trial is None:
        return Unknown("the public endpoints of two sockets could not be learned")
    turned = next((one for one in trial.doubtful if one.was_turned), None)
    if turned is not None:
        return Known(True, f"what {turned.base} sent to {turned.destination} came back in")
    if trial.state is not TrialState.CONCLUDED:
        return Unknown("too many packets get lost to tell silence from a refusal")
    targets = " and ".join(str(one.destination) for one in trial.doubtful)
    return Known(False, f"nothing that was sent to {targets} came back in")
