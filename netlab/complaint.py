"""What is wrong, in one line that can be shown on any terminal."""

from __future__ import annotations

_MAX_LENGTH = 1000
"""Characters; a tool that refused is quoted with up to 500, beside its command."""


def complaint(problem: BaseException) -> str:
    """An error in one line: of the operating system's with the file first, and without its number."""
    text = str(problem)
    if isinstance(problem, OSError) and problem.strerror is not None:
        place = "" if problem.filename is None else f"{problem.filename}: "
        text = f"{place}{problem.strerror}"
    return shortened(one_line(text), _MAX_LENGTH)


def one_line(text: str) -> str:
    """Somebody's words without anything that could move a cursor or start another line."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def shortened(text: str, length: int) -> str:
    """At most so many characters; of a longer text the middle goes, for what was expected is at its end."""
    half = (length - 5) // 2
    return text if len(text) <= length else f"{text[:half]} ... {text[-half:]}"
