from __future__ import annotations

from pathlib import Path

from netlab.matrix.markdown import matrix_markdown
from netlab.matrix.verdict import Verdict
from tests.unit.netlab.matrix.builders import HOSTILE, broken, contract, direct, failed, matrix

GOLDEN = Path(__file__).parent / "golden" / "matrix.md"


def test_the_document_is_as_it_was_agreed() -> None:
    runs = {
        ("peer", "open", "open"): (direct(0.063),),
        ("peer", "open", "symmetric"): (direct(0.0004), failed(Verdict.WORSE)),
        ("peer", "symmetric", "symmetric"): (direct(1.5, verdict=Verdict.BETTER),),
        ("peer", "symmetric", "naive"): (failed(),),
        ("peer", "naive", "naive"): (direct(0.2, verdict=Verdict.TIMING),),
        ("peer", "naive", "open"): (broken("no lab | today"),),
    }
    made = matrix(("open", "symmetric", "naive"), runs, programs=(contract(description="of *ours*"),))
    assert matrix_markdown(made) == GOLDEN.read_text(encoding="utf-8")


def test_what_a_program_says_cannot_break_a_table_or_become_markup() -> None:
    runs = {("peer", "open", "open"): (failed(Verdict.WORSE, reason=HOSTILE),)}
    text = matrix_markdown(matrix(("open",), runs, command=("netlab", HOSTILE)))
    remark = next(line for line in text.splitlines() if line.startswith("- **worse**"))
    assert "\\<script\\>" in remark
    assert "\\|" in remark
    assert "\x1b" not in text
    assert "\u2028" not in text
    command = text.splitlines()[2]
    assert command.startswith("`netlab </script>")
    assert command.count("`") == 2


def test_an_interrupted_matrix_says_so() -> None:
    assert "Interrupted" in matrix_markdown(matrix(("open",), {}, is_complete=False))
