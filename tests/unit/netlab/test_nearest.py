from __future__ import annotations

import pytest

from netlab.nearest import guess

KNOWN = ("full-cone", "symmetric", "open")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("symetric", "symmetric"), ("sym", "symmetric"), ("cone", "full-cone"), ("opn", "open")],
)
def test_the_nearest_word_is_guessed(word: str, meant: str) -> None:
    assert guess(word, KNOWN) == f"did you mean {meant}?"


def test_where_nothing_is_near_all_is_said_or_what_the_caller_knows_better() -> None:
    assert guess("xyz", KNOWN) == "expected one of full-cone, symmetric, open"
    assert guess("xyz", KNOWN, otherwise="look it up") == "look it up"


def test_what_is_no_text_or_very_long_is_guessed_at_all_the_same() -> None:
    assert guess(7, KNOWN).startswith("expected one of")
    assert guess("x" * 10_000_000, KNOWN).startswith("expected one of")
