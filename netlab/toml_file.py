"""TOML files from strangers: bounded in size, depth and time, and whatever is wrong is one error."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

MAX_KEY_PARTS = 32
"""Of a key with dots; tomllib takes time that grows with the square of their number, an hour for 1 MB."""

_MAX_SHOWN = 64
"""Characters of a value in a message."""

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:\.[ \t]*{_PART}){{{MAX_KEY_PARTS}}}")


class BadToml(ValueError):
    """What a file holds cannot be read; the text says why."""


def read_toml(path: Path, *, max_size: int) -> dict[str, Any]:
    """What a TOML file holds.

    Args:
        path: where it is; a pipe will do.
        max_size: in bytes.

    Raises:
        BadToml: it is too large, or not TOML.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(max_size + 1)
    if len(data) > max_size:
        raise BadToml(f"got more than {max_size} bytes, expected fewer")
    try:
        text = data.decode("utf-8-sig")  # some editors begin a file with a mark of their own
    except UnicodeDecodeError:
        raise BadToml("not a TOML file: got bytes that are not UTF-8") from None
    if _LONG_KEY.search(text):
        raise BadToml(f"got a key of more than {MAX_KEY_PARTS} parts, expected fewer")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise BadToml(f"not a TOML file: {problem}") from None
    except RecursionError:
        raise BadToml("got values within values without end, expected a few") from None
    except ValueError:  # from int(): Python reads none of more than 4,300 digits
        raise BadToml("got a number of thousands of digits, expected fewer") from None


def shown(value: object) -> str:
    """A value in a message, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."
