from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.lab_race import ROWS, Crew, Race, Row, Scene, Turn
from benchmarks.lab_summary import Summary, misses, race_object, race_text

LIMITED = next(row for row in ROWS if row.up_limit == 0.3)
PEER = next(row for row in ROWS if row.crew is Crew.PEER and row.scene is LIMITED.scene)


def turns_of(ups: Sequence[float | None], *, down: float = 0.1) -> tuple[Turn, ...]:
    return tuple(Turn(up=up, down=down, failures=() if up is not None else ("no answer",)) for up in ups)


def race_of(*ups: float | None, down: float = 0.1, absent: dict[Row, str] | None = None) -> Race:
    """Ours as given; the peer takes 0.4 s up and 0.2 s down."""
    turns = {LIMITED: turns_of(ups, down=down), PEER: turns_of([0.4], down=0.2)}
    return Race(turns=turns, absent=absent or {})


def test_every_scene_has_the_peer_beside_ours_with_the_same_lab() -> None:
    for scene in Scene:
        rows = [row for row in ROWS if row.scene is scene]
        assert {(row.homes, row.labs) for row in rows} == {(rows[0].homes, rows[0].labs)}, scene
        assert [row.crew for row in rows].count(Crew.PEER) == 1, scene
        assert len(rows) > 1, scene


def test_no_two_rows_have_the_same_title() -> None:
    assert len({row.title for row in ROWS}) == len(ROWS)


def test_median_and_worst_are_over_all_turns() -> None:
    summary = Summary.of(turns_of([0.2, 0.9, 0.25]))

    assert (summary.up.median, summary.up.worst) == (0.25, 0.9)
    assert (summary.built, summary.turns) == (3, 3)


def test_a_failed_turn_is_slower_than_any_other() -> None:
    summary = Summary.of(turns_of([0.2, None, 0.3]))

    assert summary.up.median == 0.3
    assert summary.up.worst == float("inf")
    assert summary.built == 2


def test_the_table_shows_our_median_in_multiples_of_the_peers() -> None:
    heading, ours, peer = race_text(race_of(0.1)).splitlines()

    assert heading.startswith("two NATs, 6 nodes")
    assert ours.split()[:5] == ["namespaces", "0.100", "s", "0.100", "s"]
    assert [ours.split()[5], ours.split()[10]] == ["0.25", "0.50"]
    assert peer.split() == ["mininet", "0.400", "s", "0.400", "s", "0.200", "s", "0.200", "s", "1", "of", "1"]


def test_the_table_says_never_where_half_of_the_turns_failed() -> None:
    assert race_text(race_of(None)).splitlines()[1].split()[:3] == ["namespaces", "never", "never"]


@pytest.mark.parametrize(("up", "down"), [(0.3, 0.3), (0.01, 0.01)])
def test_what_is_within_its_limit_is_not_missed(up: float, down: float) -> None:
    assert misses(race_of(up, down=down)) == []


def test_each_limit_that_was_not_kept_is_said() -> None:
    assert misses(race_of(0.31, down=0.4)) == [
        "two-nats: namespaces: up in 0.310 s by the median, required is 0.3 s",
        "two-nats: namespaces: down in 0.400 s by the median, required is 0.3 s",
    ]


def test_what_could_not_be_measured_is_missed_only_where_it_has_a_limit() -> None:
    docker = next(row for row in ROWS if row.backend == "docker")
    free = next(row for row in ROWS if row.up_limit is None)
    race = race_of(0.1, absent={docker: "no engine", free: "no user namespaces"})

    assert misses(race) == ["two-nats: docker: not measured"]
    assert race_text(race).splitlines()[-2:] == [
        "not measured: two-nats: docker: no engine",
        f"not measured: {free.title}: no user namespaces",
    ]


def test_a_race_without_any_turn_still_says_why() -> None:
    assert (
        race_text(Race(turns={}, absent={PEER: "no mininet"}))
        == "not measured: two-nats: mininet: no mininet"
    )


def test_json_has_every_turn_and_null_for_what_never_came() -> None:
    ours, peer = race_object(race_of(None, 0.1, None))["rows"]

    assert ours["up"] == {
        "median": None,
        "worst": None,
        "ratio": None,
        "limit": 0.3,
        "seconds": [None, 0.1, None],
    }
    assert ours["down"]["ratio"] == pytest.approx(0.5)
    assert ours["failures"] == ["no answer", "no answer"]
    assert peer["up"]["ratio"] is None
