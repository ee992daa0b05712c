from __future__ import annotations

import pytest

from netlab.complaint import complaint, one_line, shortened
from netlab.errors import LabError

MARK = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (LabError("a\nb\x1b[2J"), f"a{MARK}b{MARK}[2J"),
        (LabError("not text: \udcff"), f"not text: {MARK}"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(28, "No space left on device", "/run/netlab/x"), "/run/netlab/x: No space left on device"),
        (OSError("no number"), "no number"),
    ],
)
def test_what_is_wrong_is_one_line_without_tricks(problem: Exception, text: str) -> None:
    assert complaint(problem) == text


def test_it_is_never_long_and_keeps_its_end() -> None:
    text = complaint(LabError(f"got {'x' * 1_000_000}, expected less"))
    assert len(text) <= 1000
    assert text.startswith("got x")
    assert text.endswith("x, expected less")


@pytest.mark.parametrize("length", [9, 10, 11])
def test_a_text_is_shortened_to_what_was_asked_for(length: int) -> None:
    assert len(shortened("x" * 100, length)) in (length - 1, length)
    assert shortened("x" * length, length) == "x" * length


def test_a_programs_words_stay_on_their_line() -> None:
    assert one_line("a\nb\x1b[2J") == f"a{MARK}b{MARK}[2J"
