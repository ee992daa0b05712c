from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.trials_lab import TOLERANCES, Call, Recorder, compare
from netlab.profiles import profile
from peer.exit_codes import ExitCode
from tests.sim.trial import Circumstances, Ending, Trial

PAIR = ("port-restricted", "symmetric")
BIRTHDAY = "birthday-probing"


def simulated(
    code: ExitCode, technique: str | None, seconds: float = 1.0, *, pair: tuple[str, str] = PAIR
) -> tuple[Trial, Ending]:
    one, other = map(profile, pair)
    ending = Ending(code=code, seconds=seconds, technique=technique, reason="none", packets=1)
    return Trial(caller=one, callee=other, seed=1, circumstances=Circumstances()), ending


def in_lab(
    code: int = 0,
    technique: str | None = BIRTHDAY,
    seconds: float | None = 1.0,
    *,
    pair: tuple[str, str] = PAIR,
) -> Call:
    caller, callee = pair
    return Call(
        caller=caller, callee=callee, code=code, technique=technique, seconds=seconds, reason="silence"
    )


def test_they_agree_where_the_lab_s_ending_is_among_the_simulation_s() -> None:
    both = [simulated(ExitCode.OK, BIRTHDAY), simulated(ExitCode.NO_PATH, None)]
    found = compare([in_lab()], both)
    assert found.disputed == ()
    assert not found.amiss


def test_a_pair_that_is_open_to_timing_is_counted_and_not_judged() -> None:
    pair = ("port-restricted", "naive")
    found = compare(
        [in_lab(1, None, None, pair=pair)],
        [simulated(ExitCode.OK, "plain-checks", pair=pair), simulated(ExitCode.NO_PATH, None, pair=pair)],
    )
    assert found.disputed == ()
    assert (found.open_to_timing, found.open_met) == (1, (0.0, 0.5))
    assert "of 1 open to timing 0% met in the lab, 50% in trials" in found.to_text()


def test_another_outcome_and_another_technique_are_disputed() -> None:
    for call in (in_lab(1, None, None), in_lab(technique="plain-checks")):
        found = compare([call], [simulated(ExitCode.OK, BIRTHDAY)])
        (line,) = found.disputed
        assert line.startswith("port-restricted x symmetric: in the lab ")
        assert line.endswith("in the simulation birthday-probing")
        assert found.amiss


def test_medians_differ_by_no_more_than_the_tolerance() -> None:
    seconds, share = TOLERANCES[BIRTHDAY]
    limit = seconds + share * 1.0
    for lab, agree in ((1.0 + limit - 0.001, True), (1.0 + limit + 0.001, False)):
        found = compare([in_lab(seconds=lab)], [simulated(ExitCode.OK, BIRTHDAY)])
        assert found.amiss is not agree
        assert ("DISAGREE" in found.to_text()) is not agree
        assert found.to_object()["medians"][0]["agree"] is agree


def test_calls_on_record_are_known_again(tmp_path: Path) -> None:
    path = tmp_path / "sample.jsonl"
    path.write_text(json.dumps(asdict(in_lab())) + "\n", encoding="utf-8")
    assert Recorder(path).calls == {PAIR: in_lab()}
    assert Recorder(tmp_path / "new.jsonl").calls == Recorder(None).calls == {}
