"""What somebody may have meant who wrote a word that nobody knows."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

_CUTOFF = 0.4
"""Of difflib's ratio; its default of 0.6 does not take ``sym`` for ``symmetric``."""

_MAX_LENGTH = 64
"""Characters of the word that are looked at; comparing takes time that grows with their square."""


def guess(word: object, known: Collection[str], *, otherwise: str | None = None) -> str:
    """The end of a complaint: the nearest of the words that are known, or else all of them.

    Args:
        word: what was written.
        known: what could have been.
        otherwise: what to say where nothing is near, instead of all that is known.
    """
    nearest = get_close_matches(str(word)[:_MAX_LENGTH], known, n=1, cutoff=_CUTOFF)
    if nearest:
        return f"did you mean {nearest[0]}?"
    return otherwise or f"expected one of {', '.join(known)}"
