"""Why there is a path, or none: in plain words, with the evidence, and what would help.

Pure, and three tables of cases: what a path shows, what a failure shows, and what each side could change.
The first row that fits decides. "You" is who reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from natcore.channel import TimelineEntry, TimelineEvent
from natcore.control.messages import FaultCode
from natcore.discovery import DiscoveryReport, value_of
from natcore.errors import PeerError
from natcore.hardnat import GiveUpReason, HardNatLimits, Plan, SideSummary, Technique, in_words
from natcore.ice import CandidateType, FailureReason, Path
from natcore.nat import FilteringBehavior, MappingBehavior
from peer.check.verdict import ALLOW_UDP, ASK_A_FULL_SERVER, OPEN_A_PORT, SWITCH_OFF_SYMMETRIC, judge
from peer.errors import (
    AwakeFailed,
    ChannelClosed,
    NoPath,
    PeerUnavailable,
    RegistrationFailed,
    ServerUnreachable,
)
from peer.text import printable

MAX_ADDRESSES = 4
"""That a sentence names; an ordinary peer has fewer."""

AFTER_LOSS = "connect again: paths go silent when a NAT restarts, a network changes or a program dies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one side knows of a channel, or of an attempt at one.

    Attributes:
        peer: the other side's id.
        own_nat: what was measured of our NAT, or None.
        peer_nat: what the peer told of its own, or None.
        plan: what was made of both, or None.
        timeline: of the session; empty where there was none.
        path: that data takes or took last, or None where there was none.
        technique: by what it was found.
        error: why there is no path, or no more; None where all is well.
        is_lost: there is no path now, and another is looked for.
        is_in_doubt: nothing comes by the path at the moment, and another is looked for.
    """

    peer: str
    own_nat: DiscoveryReport | None = None
    peer_nat: SideSummary | None = None
    plan: Plan | None = None
    timeline: tuple[TimelineEntry, ...] = ()
    path: Path | None = None
    technique: Technique = Technique.PLAIN
    error: PeerError | None = None
    is_lost: bool = False
    is_in_doubt: bool = False


def explain(evidence: Evidence) -> tuple[str, ...]:
    """Sentences for people, the most important first; safe to show."""
    if evidence.path is not None:
        sentences = [*_loss(evidence), *_explain_path(evidence, evidence.path)]
    elif evidence.error is not None:
        sentences = _explain_failure(evidence, evidence.error)
    else:
        sentences = [f"no path to {evidence.peer} yet: it is being looked for", *_facts(evidence)]
    return tuple(map(printable, sentences))


def _loss(evidence: Evidence) -> list[str]:
    if evidence.is_in_doubt and not evidence.is_lost:
        return [f"{evidence.peer} does not answer on the path at the moment: another is looked for"]
    if not evidence.is_lost:
        return []
    lost = [one.detail for one in evidence.timeline if one.event is TimelineEvent.PATH_LOST]
    why = f" ({lost[-1]})" if lost else ""
    return [f"there is no path to {evidence.peer} now{why}: another is looked for; of the last one:"]


# --- a path ------------------------------------------------------------------------------------------------

_PATHS: tuple[tuple[Callable[[Evidence, Path], bool], str], ...] = (
    (
        lambda _, path: path.is_mapped,
        "by port mapping: {peer}'s gateway forwards a port to it, {remote}, and you sent there",
    ),
    (
        lambda evidence, _: evidence.technique is Technique.MAPPED_PORT,
        "by port mapping: your gateway forwards a port to you, {local}, and {peer} sent there",
    ),
    (
        lambda evidence, _: evidence.technique is Technique.PREDICTION,
        "by port prediction: the next port of a NAT could be told from its last ones, and was hit",
    ),
    (
        lambda evidence, _: evidence.technique is Technique.BIRTHDAY,
        "by birthday probing: a NAT takes ports at random, so many were opened and many tried until two met",
    ),
    (
        lambda _, path: path.kind is CandidateType.HOST and path.local == path.base,
        "by plain checks, without a NAT in between: each side reached the other's own address",
    ),
    (
        lambda _, path: path.kind is CandidateType.HOST,
        "by plain checks to an address of {peer}'s own: no NAT hides it, and yours let in what answered you",
    ),
    (
        lambda _, path: path.kind is CandidateType.PEER_REFLEXIVE,
        "by plain checks: {peer}'s came from a port that the server had not seen, and got through to you",
    ),
    (
        lambda _, path: True,
        "by plain checks to where the server sees {peer}: each side's first packet opened its own NAT",
    ),
)
"""How a path came about, as its addresses and the technique show it."""


def _explain_path(evidence: Evidence, path: Path) -> list[str]:
    how = next(words for applies, words in _PATHS if applies(evidence, path))
    sentences = [
        f"the path from {path.local} to {evidence.peer} at {path.remote} was found "
        + how.format(peer=evidence.peer, local=path.local, remote=path.remote)
    ]
    sentences += _facts(evidence)
    match evidence.error:
        case None:
            return sentences
        case NoPath():
            return [
                f"there is no path any more: {evidence.error}",
                *sentences,
                f"what would help: {AFTER_LOSS}",
            ]
        case _:
            return [*sentences, f"by now: {evidence.error}"]


# --- no path -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a failure means.

    Attributes:
        applies: whether it is this one.
        words: a sentence; ``{peer}`` is its id, and ``{hindrance}`` why no attempt was begun.
        advice: what would help, the most helpful first.
        asks_nats: whether a change of either NAT would help as well.
    """

    applies: Callable[[Evidence, PeerError], bool]
    words: str
    advice: tuple[str, ...] = ()
    asks_nats: bool = False


def _refused(code: FaultCode) -> Callable[[Evidence, PeerError], bool]:
    return lambda _, error: isinstance(error, PeerUnavailable) and error.code is code


def _given_up(reason: GiveUpReason) -> Callable[[Evidence, PeerError], bool]:
    return lambda evidence, error: (
        isinstance(error, NoPath) and evidence.plan is not None and evidence.plan.reason is reason
    )


def _failed(reason: FailureReason) -> Callable[[Evidence, PeerError], bool]:
    return lambda _, error: isinstance(error, NoPath) and error.reason == reason.value


def _is_tried(technique: Technique) -> Callable[[Evidence, PeerError], bool]:
    return lambda evidence, error: (
        isinstance(error, NoPath) and evidence.plan is not None and evidence.plan.technique is technique
    )


_FAILURES: tuple[_Failure, ...] = (
    _Failure(
        lambda _, error: isinstance(error, ServerUnreachable),
        "the server is needed to be introduced to {peer}, and it cannot be used",
        ("check its name and port, that it runs, and that TCP to it is let out",),
    ),
    _Failure(
        lambda _, error: isinstance(error, RegistrationFailed),
        "the server did not take your id, so nobody can be introduced to you",
        ("take another id, or end the program that has it",),
    ),
    _Failure(
        lambda _, error: isinstance(error, AwakeFailed),
        "the server sees none of your datagrams, so it cannot tell {peer} where you are",
        (f"on your side: {ALLOW_UDP}",),
    ),
    _Failure(
        _refused(FaultCode.UNKNOWN_CLIENT),
        "nobody called {peer} is registered at this server",
        ("check the spelling, and that {peer} runs and uses this very server",),
    ),
    _Failure(
        _refused(FaultCode.CLIENT_ASLEEP),
        "{peer} is Asleep: the server has seen no datagram of its, so nobody knows where it is",
        ("let {peer} type @awake; if it has, its network may let no UDP out",),
    ),
    _Failure(
        _refused(FaultCode.YOU_ARE_ASLEEP),
        "you are Asleep: the server has not seen a datagram of yours lately",
        ("wake again", f"on your side: {ALLOW_UDP}"),
    ),
    _Failure(
        _refused(FaultCode.TOO_FAST),
        "too many introductions in a short time",
        ("wait some seconds and connect again",),
    ),
    _Failure(
        lambda _, error: isinstance(error, PeerUnavailable),
        "the server did not introduce you to {peer}",
    ),
    _Failure(
        lambda _, error: isinstance(error, ChannelClosed),
        "one of the two sides closed before there was a path",
        ("connect again",),
    ),
    _Failure(
        _given_up(GiveUpReason.UDP_BLOCKED),
        "one of the two networks lets no UDP pass, and without it there is no direct path",
        asks_nats=True,
    ),
    _Failure(
        _given_up(GiveUpReason.BOTH_UNPREDICTABLE),
        "both NATs give each destination another port, which cannot be foreseen well enough, and both let in "
        "only what answers: neither side can know where to send",
        asks_nats=True,
    ),
    _Failure(
        _given_up(GiveUpReason.TOO_EXPENSIVE),
        "the two NATs could be traversed, but hardly with the packets and sockets that may be spent",
        asks_nats=True,
    ),
    _Failure(
        lambda evidence, error: isinstance(error, NoPath) and _hindrance(evidence) is not None,
        "the two NATs need more than plain checks, and that was not possible now: {hindrance}",
        ("connect again when other attempts are over", "allow more open files: ulimit -n"),
        asks_nats=True,
    ),
    _Failure(
        _is_tried(Technique.PREDICTION),
        "ports were predicted and tried, but none was hit: others behind the same NAT may have taken them",
        ("connect again",),
        asks_nats=True,
    ),
    _Failure(
        _is_tried(Technique.BIRTHDAY),
        "many ports were opened and tried at random, but no two met",
        ("connect again",),
        asks_nats=True,
    ),
    _Failure(
        _is_tried(Technique.MAPPED_PORT),
        "a gateway says that it forwards a port, but nothing came through it",
        ("look at what it forwards: peer map", "switch off a firewall that stands behind or before it"),
        asks_nats=True,
    ),
    _Failure(
        _failed(FailureReason.NO_CANDIDATES),
        "{peer} offers no address that you can send to",
        ("have IPv4, or IPv6, on both sides",),
    ),
    _Failure(
        _failed(FailureReason.REJECTED),
        "{peer} turned your checks down: it knows nothing of this introduction",
        ("let {peer} start anew, and connect again",),
    ),
    _Failure(
        _failed(FailureReason.ONE_WAY),
        "{peer}'s checks reached you, but no answer to yours did: your packets or the answers are lost",
        ("look for a firewall that lets UDP pass in one direction only",),
        asks_nats=True,
    ),
    _Failure(
        _failed(FailureReason.SILENCE),
        "nothing of {peer}'s reached you: a NAT or firewall on the way drops it, or {peer} is gone",
        ("see that {peer} still runs",),
        asks_nats=True,
    ),
    _Failure(
        lambda _, error: isinstance(error, NoPath),
        "no path was found in the time that there was",
        ("allow more time: --timeout SECONDS",),
        asks_nats=True,
    ),
    _Failure(lambda _, error: True, "the attempt ended before anything could be seen"),
)
"""What a failure means; the first that applies, and the last one always does."""


def _explain_failure(evidence: Evidence, error: PeerError) -> list[str]:
    failure = next(one for one in _FAILURES if one.applies(evidence, error))
    advice = [words.format(peer=evidence.peer) for words in failure.advice]
    if failure.asks_nats:
        advice += _advice_on_nats(evidence)
    words = failure.words.format(peer=evidence.peer, hindrance=_hindrance(evidence))
    sentences = [f"there is no path: {words}", f"seen: {error}"]
    # What a plan is made of names both NATs already.
    is_told = (
        isinstance(error, NoPath) and evidence.plan is not None and error.detail == evidence.plan.evidence
    )
    facts = _facts(replace(evidence, own_nat=None, peer_nat=None) if is_told else evidence)
    return sentences + facts + [f"what would help: {words}" for words in advice]


def _hindrance(evidence: Evidence) -> str | None:
    """Why no attempt beyond plain checks was begun, where one should have been."""
    search = _search(evidence)
    if _first(search, TimelineEvent.ATTEMPT_BEGUN) is not None:
        return None
    hindered = _first(search, TimelineEvent.ATTEMPT_SKIPPED, TimelineEvent.ATTEMPT_DELAYED)
    return None if hindered is None else hindered.detail


def _advice_on_nats(evidence: Evidence) -> list[str]:
    """Of both sides; where one of them changes, that is often enough."""
    ours = [f"on your side: {words}" for words in _own_advice(evidence.own_nat)]
    theirs = [f"on {evidence.peer}'s side: {words}" for words in _peer_advice(evidence.peer_nat)]
    if not ours and not theirs:
        return ["run peer check on both sides: it says what each NAT does and what to change"]
    if evidence.own_nat is not None and evidence.peer_nat is None:
        untold = f"{evidence.peer} had not said yet what its NAT does, so only plain checks were tried"
        return [f"connect again: {untold}", *ours]
    return ours + theirs


def _own_advice(nat: DiscoveryReport | None) -> Sequence[str]:
    if nat is None:
        return ()
    verdict = judge(nat, has_mapped_port=False, has_gateway=False, has_ipv6=False)
    return [words for words in verdict.advice if words != ASK_A_FULL_SERVER]


_PEER_ADVICE: tuple[tuple[Callable[[SideSummary], bool], tuple[str, ...]], ...] = (
    (lambda nat: nat.udp_blocked, (ALLOW_UDP,)),
    (lambda nat: nat.has_mapped_port or nat.filtering is FilteringBehavior.ENDPOINT_INDEPENDENT, ()),
    (lambda nat: nat.mapping is None, ()),
    (
        lambda nat: nat.mapping is not MappingBehavior.ENDPOINT_INDEPENDENT,
        (OPEN_A_PORT, SWITCH_OFF_SYMMETRIC),
    ),
    (lambda nat: nat.filtering is FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT, (OPEN_A_PORT,)),
    (lambda _: True, ()),
)
"""What the peer could change, as far as its summary tells."""


def _peer_advice(nat: SideSummary | None) -> Sequence[str]:
    return () if nat is None else next(advice for applies, advice in _PEER_ADVICE if applies(nat))


# --- evidence ----------------------------------------------------------------------------------------------


def _facts(evidence: Evidence) -> list[str]:
    """What both NATs do, what was tried, and when what came."""
    return [*_nats(evidence), *_attempted(evidence.plan), *_course(evidence)]


def _nats(evidence: Evidence) -> list[str]:
    if evidence.own_nat is None and evidence.peer_nat is None:
        return []
    theirs = "unknown" if evidence.peer_nat is None else in_words(evidence.peer_nat)
    return [f"your NAT: {_own_in_words(evidence.own_nat)}; {evidence.peer}'s NAT: {theirs}"]


def _own_in_words(nat: DiscoveryReport | None) -> str:
    if nat is None:
        return "not measured"
    if value_of(nat.translated) is False:
        return "there is none"
    return in_words(SideSummary.from_report(nat, limits=HardNatLimits()))


def _attempted(plan: Plan | None) -> list[str]:
    if plan is None or plan.technique not in (Technique.PREDICTION, Technique.BIRTHDAY):
        return []
    sockets = f"{plan.sockets} further sockets" if plan.sockets else "the one socket"
    spent = f"{plan.packets} packets of yours at most, from {sockets}"
    return [f"{plan.technique.value} was planned: {spent}; {_share(plan.probability)} of such attempts meet"]


def _share(probability: float) -> str:
    return "over 99%" if probability > 0.99 else f"{probability:.0%}"


def _course(evidence: Evidence) -> list[str]:
    """The times of the first checks and of the path, counted from when the search for it began."""
    search = _search(evidence)
    begun = (one.detail for one in search if one.event is TimelineEvent.CHECKS_BEGUN)
    sent = list(dict.fromkeys(begun))  # the search before this one may still go to the same addresses
    if not sent:
        return []
    begin = search[0]

    def after(entry: TimelineEntry) -> str:
        return f"after {_time(entry.at - begin.at)}"

    named = ", ".join(one.removeprefix("to ") for one in sent[:MAX_ADDRESSES])
    further = f" and {len(sent) - MAX_ADDRESSES} more" if len(sent) > MAX_ADDRESSES else ""
    received = _first(search, TimelineEvent.CHECK_RECEIVED)
    confirmed = _first(search, *_FOUND)
    came = "none came" if received is None else f"the first one {received.detail} came {after(received)}"
    found = "" if confirmed is None else f", the path was confirmed {after(confirmed)}"
    is_renewed = begin.event is TimelineEvent.RENEWED
    which = f"in the search that began {_time(begin.at)} after the introduction, " if is_renewed else ""
    return [f"{which}checks went to {named}{further}; of {evidence.peer}'s, {came}{found}"]


_FOUND = (TimelineEvent.PATH_CONFIRMED, TimelineEvent.PATH_MOVED)
"""How a search ends well: the first one that does in a session, and any later one."""


def _search(evidence: Evidence) -> Sequence[TimelineEntry]:
    """What the timeline has of one search: of the newest that found a path, else of the newest.

    Nothing where searches were left out of the timeline, for that one may be among them.
    """
    entries = evidence.timeline
    renewals = [place for place, one in enumerate(entries) if one.event is TimelineEvent.RENEWED]
    if renewals and entries[-1].event is TimelineEvent.MORE_FOLLOWED:
        return ()
    searches = [entries[begin:end] for begin, end in pairwise([0, *renewals, len(entries)])]
    return next((one for one in reversed(searches) if _first(one, *_FOUND)), searches[-1])


def _first(entries: Sequence[TimelineEntry], *events: TimelineEvent) -> TimelineEntry | None:
    return next((one for one in entries if one.event in events), None)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
