"""Text from the network, made safe to show: a peer must not be able to drive somebody's terminal."""

from __future__ import annotations

import unicodedata

_SHOWN_CATEGORIES = frozenset("LMNPSZ")
"""Letters, marks, numbers, punctuation, symbols and spaces; not controls, formats and unassigned ones."""

_LINE_BREAKS = frozenset({"Zl", "Zp"})


def printable(text: str) -> str:
    r"""The text with everything that could act on a terminal written as an escape, ``\x1b`` for one.

    That covers control characters and also the invisible ones that reorder what is shown (Unicode category
    Cf, bidirectional overrides among them). A backslash stays: the result is for reading, not for parsing.
    """
    return "".join(character if _is_shown(character) else ascii(character)[1:-1] for character in text)


def decoded(payload: bytes) -> str:
    """What a peer sent as text; bytes that are no UTF-8 become replacement characters."""
    return payload.decode("utf-8", errors="replace")


def _is_shown(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in _SHOWN_CATEGORIES and category not in _LINE_BREAKS
