from __future__ import annotations

from natcore.address import TransportAddress
from natcore.channel import TimelineEntry, TimelineEvent
from natcore.channel.timeline import MAX_DETAIL_LENGTH, MAX_ENTRIES, Timeline, candidates_in_words
from natcore.hardnat import HardNatLimits, SideSummary, plan
from natcore.ice import CandidateType, LocalCandidate, mapped_candidate
from natcore.nat import FilteringBehavior, MappingBehavior
from netlab.model import NatModel
from tests.sim.pair import EndpointPair, SessionPair, make_sites

ADDRESS = TransportAddress.parse("192.0.2.1:4000")
SYMMETRIC = SideSummary(
    mapping=MappingBehavior.ADDRESS_AND_PORT_DEPENDENT,
    filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
)


def filled(count: int) -> Timeline:
    timeline = Timeline()
    for number in range(count):
        timeline.add(TimelineEvent.CHECKS_BEGUN, f"number {number}", 100.0 + number)
    return timeline


def words(entries: tuple[TimelineEntry, ...]) -> list[str]:
    return [entry.event.value for entry in entries]


def test_seconds_count_from_the_first_entry() -> None:
    assert [entry.at for entry in filled(3).entries] == [0.0, 1.0, 2.0]


def test_one_below_the_limit_nothing_is_left_out() -> None:
    entries = filled(MAX_ENTRIES - 1).entries
    assert [entry.detail for entry in entries] == [f"number {one}" for one in range(MAX_ENTRIES - 1)]


def test_the_last_entry_says_that_more_followed_and_what_was_the_newest() -> None:
    for further in (0, 1, 500):
        entries = filled(MAX_ENTRIES + further).entries
        assert len(entries) == MAX_ENTRIES
        assert [entry.detail for entry in entries[:-1]] == [f"number {one}" for one in range(MAX_ENTRIES - 1)]
        assert entries[-1] == TimelineEntry(
            at=MAX_ENTRIES - 1.0 + further,
            event=TimelineEvent.MORE_FOLLOWED,
            detail=f"{1 + further} left out, the newest: checks begun: number {MAX_ENTRIES - 1 + further}",
        )


def test_each_entry_is_handed_over_once_whether_it_is_kept_or_not() -> None:
    timeline = Timeline()
    for number in range(MAX_ENTRIES + 5):
        timeline.add(TimelineEvent.CHECKS_BEGUN, str(number), 0.0)
        told = list(iter(timeline.next_entry, None))
        assert [entry.detail for entry in told] == [str(number)]


def test_entries_that_nobody_takes_are_bounded_too() -> None:
    assert len(list(iter(filled(MAX_ENTRIES + 5).next_entry, None))) == MAX_ENTRIES


def test_a_detail_is_bounded() -> None:
    timeline = Timeline()
    for length in (MAX_DETAIL_LENGTH, MAX_DETAIL_LENGTH + 1):
        timeline.add(TimelineEvent.FAILED, "x" * length, 0.0)
    assert [len(entry.detail) for entry in timeline.entries] == [MAX_DETAIL_LENGTH] * 2
    for _ in range(MAX_ENTRIES):
        timeline.add(TimelineEvent.FAILED, "x" * MAX_DETAIL_LENGTH, 0.0)
    assert len(timeline.entries[-1].detail) == MAX_DETAIL_LENGTH


def test_candidates_are_named_by_type_and_address() -> None:
    host = LocalCandidate.of(CandidateType.HOST, ADDRESS, base=ADDRESS)
    mapped = mapped_candidate(TransportAddress.parse("203.0.113.7:5000"))
    assert candidates_in_words([host, mapped]) == "host 192.0.2.1:4000, mapped 203.0.113.7:5000"
    assert candidates_in_words([]) == "no address"


# --- of a session -------------------------------------------------------------------------------------------


def connected() -> SessionPair:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"))
    pair.advance(5.0)
    pair.start()
    pair.connect()
    pair.advance(1.0)
    return pair


def test_a_path_is_told_from_the_introduction_to_the_close() -> None:
    pair = connected()
    pair.close(pair.elsa)
    pair.advance(1.0)
    ours, theirs = pair.elsas.timeline.entries, pair.annas.timeline.entries
    order = [
        "introduced",
        "checks begun",
        "first check received",
        "path confirmed",
        "path selected",
        "closed",
    ]
    assert list(dict.fromkeys(words(ours))) == order
    assert [entry.at for entry in ours] == sorted(entry.at for entry in ours)
    assert ours[0].detail.startswith("anna offers host 192.168.8.10:40000, srflx 203.0.113.8:")
    assert (ours[0].at, ours[-1].detail, theirs[-1].detail) == (0.0, "closed by us", "closed by elsa")
    assert 1.0 <= ours[-1].at < 2.0


def test_each_address_of_the_peers_is_told_once() -> None:
    begun = [one for one in connected().elsas.timeline.entries if one.event is TimelineEvent.CHECKS_BEGUN]
    assert len(begun) == len({entry.detail for entry in begun}) == 2


def test_a_failure_is_told_with_its_reason() -> None:
    pair = SessionPair(make_sites("symmetric", "symmetric"))
    pair.start()
    pair.advance(30.0)
    last = pair.elsas.timeline.entries[-1]
    assert last.event is TimelineEvent.FAILED
    assert last.detail.startswith("nothing of the peer's reached us")


def test_a_plan_is_kept_and_told_with_its_evidence() -> None:
    pair = connected()
    made = plan(SYMMETRIC, SYMMETRIC, HardNatLimits())
    pair.elsas.take_plan(made, pair.now)
    last = pair.elsas.timeline.entries[-1]
    assert (pair.elsas.plan, last.event) == (made, TimelineEvent.PLAN_CHOSEN)
    assert last.detail == f"give up, our role is to rest: {made.evidence}"


def test_a_broken_path_is_told_to_be_doubted_renewed_and_moved() -> None:
    pair = EndpointPair(make_sites("non-preserving-cone", "port-restricted"))
    pair.start()
    session = pair.connect()
    pair.advance(1.0)
    router = pair.elsa.place
    assert isinstance(router, NatModel)
    router.reboot()
    pair.advance(10.0)
    told = words(session.timeline.entries)
    assert told.index("path doubted") < told.index("renewed") < told.index("path moved")


def test_the_same_conversation_has_the_same_timeline() -> None:
    assert connected().elsas.timeline.entries == connected().elsas.timeline.entries


def test_nothing_secret_is_in_a_timeline() -> None:
    pair = connected()
    pair.send(pair.elsa, b"between us")
    pair.advance(1.0)
    told = " ".join(entry.detail for entry in pair.elsas.timeline.entries)
    for secret in ("between us", pair.elsas.ice._local.pwd, pair.elsas.ice._remote.pwd):
        assert secret not in told
