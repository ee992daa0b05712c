from __future__ import annotations

import json

from netlab.matrix.claim import Outcome
from netlab.matrix.results import FORMAT, Cell, Times, matrix_object, summary_of
from netlab.matrix.text import cell_sentence, cell_text, seconds_text
from netlab.matrix.verdict import Verdict
from tests.unit.netlab.matrix.builders import broken, contract, direct, failed, matrix, relayed


def cell(*runs: object) -> Cell:
    return Cell(a="open", b="symmetric", program="peer", runs=tuple(runs))  # type: ignore[arg-type]


def test_times_are_median_and_nearest_rank() -> None:
    times = Times.of([direct(n / 100) for n in range(1, 21)])
    assert times is not None
    assert (times.median, times.p95, times.count) == (0.105, 0.19, 20)


def test_only_direct_runs_that_say_so_have_a_time() -> None:
    assert Times.of([failed(), direct(None), broken()]) is None


def test_a_cell_is_as_good_as_its_worst_run() -> None:
    mixed = cell(direct(), failed(Verdict.WORSE), direct())
    assert mixed.verdict is Verdict.WORSE
    assert mixed.count(Outcome.DIRECT) == 2
    assert cell().verdict is None


def test_cells_as_text() -> None:
    assert cell_text(cell()) == "·"
    assert cell_text(cell(direct(0.063))) == "63 ms"
    assert cell_text(cell(direct(None))) == "✔"
    assert cell_text(cell(failed())) == "–"
    assert cell_text(cell(failed(Verdict.WORSE))) == "✘"
    assert cell_text(cell(failed(Verdict.DISPROVED))) == "≠"
    assert cell_text(cell(broken())) == "!"
    assert cell_text(cell(relayed())) == "R"
    assert cell_text(cell(direct(verdict=Verdict.BETTER))) == "★ 63 ms"
    assert cell_text(cell(direct(), direct(), failed(Verdict.WORSE))) == "✘ 2/3"
    assert cell_text(cell(direct(), broken())) == "! 1/2"


def test_cells_as_sentences() -> None:
    assert cell_sentence(cell()) == "peer, open calls symmetric: not run"
    assert (
        cell_sentence(cell(direct(), broken()))
        == "peer, open calls symmetric: 1 direct, 1 broken, 63 ms; broken"
    )


def test_times_as_text() -> None:
    texts = [seconds_text(seconds) for seconds in (0.0004, 0.063, 0.9994, 0.9996, 1.254, 12.0)]
    assert texts == ["0.4 ms", "63 ms", "999 ms", "1 s", "1.25 s", "12 s"]


def test_the_summary_counts_runs() -> None:
    runs = {
        ("peer", "open", "open"): (direct(0.01), direct(0.03)),
        ("peer", "open", "symmetric"): (failed(Verdict.WORSE), broken()),
        ("peer", "symmetric", "symmetric"): (failed(), direct(0.02, verdict=Verdict.BETTER)),
    }
    summary = summary_of(matrix(("open", "symmetric"), runs), "peer")
    assert (summary["runs"], summary["direct"], summary["failed"]) == (6, 3, 2)
    assert (summary["agrees"], summary["better"], summary["worse"], summary["broken"]) == (3, 1, 1, 1)
    assert summary["elapsed"] == {"median": 0.02, "p95": 0.03, "count": 3}


def test_a_matrix_succeeds_unless_something_is_worse_disproved_broken_or_missing() -> None:
    def of(run: object) -> bool:
        return matrix(("open",), {("peer", "open", "open"): (run,)}).succeeded  # type: ignore[dict-item]

    assert of(direct())
    assert of(direct(verdict=Verdict.BETTER))
    assert of(failed(Verdict.TIMING))
    assert not of(failed(Verdict.WORSE))
    assert not of(failed(Verdict.DISPROVED))
    assert not of(broken())
    assert not matrix(("open",), {}, is_complete=False).succeeded


def test_the_json_holds_every_pair_and_run() -> None:
    runs = {("peer", "open", "open"): (direct(0.01, peer="anna"),), ("aioice", "open", "open"): (failed(),)}
    made = matrix(("open", "naive"), runs, programs=(contract("peer"), contract("aioice")))
    value = json.loads(json.dumps(matrix_object(made)))
    assert value["format"] == FORMAT
    assert [(one["a"], one["b"]) for one in value["cells"]] == [
        ("open", "open"),
        ("open", "naive"),
        ("naive", "open"),
        ("naive", "naive"),
    ]
    first = value["cells"][0]["programs"]
    assert list(first) == ["peer", "aioice"]
    run = first["peer"]["runs"][0]
    assert (run["outcome"], run["elapsed"], run["packets_sent"]) == ("direct", 0.01, 7)
    assert run["further"] == {"peer": "anna"}
    assert run["observed"]["caller"] == {"sent": 3, "received": 2, "let_in": 2}
    assert first["aioice"]["runs"][0]["reason"] == "nothing came"
    assert value["cells"][3]["expected"] == "timing"
    assert value["cells"][3]["programs"]["peer"]["verdict"] is None
    assert value["profiles"][1]["seen"]["early_inbound"] == "remaps"
