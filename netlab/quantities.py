"""Quantities as people write them: ``40ms``, ``5%``, ``20Mbit``. For the command line and for TOML files."""

from __future__ import annotations

import re

from netlab.errors import UsageProblem

_NUMBER = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[a-zA-Z%/]*)")

_SECONDS = {"ms": 1e-3, "s": 1.0}
_PARTS = {"%": 1e-2}
_BITS_PER_SECOND = {"kbit": 1e3, "Mbit": 1e6, "Gbit": 1e9}
_PER_SECOND = {"/s": 1.0}


class BadQuantity(UsageProblem):
    """A quantity that cannot be read; the text says how it is written."""


def parse_duration(text: str) -> float:
    """``40ms`` or ``0.04s``, as seconds; a unit is required, except for 0.

    Raises:
        BadQuantity: it is written otherwise.
    """
    return _parse(text, _SECONDS, "a number with a unit, like 40ms or 0.04s")


def parse_probability(text: str) -> float:
    """``5%``, as 0.05.

    Raises:
        BadQuantity: it is written otherwise.
    """
    return _parse(text, _PARTS, "a percentage, like 5%")


def parse_rate(text: str) -> float:
    """``20Mbit``, as bits a second.

    Raises:
        BadQuantity: it is written otherwise.
    """
    return _parse(text, _BITS_PER_SECOND, "bits a second with a unit, like 20Mbit or 500kbit")


def parse_frequency(text: str) -> float:
    """``20/s``, as 20.

    Raises:
        BadQuantity: it is written otherwise.
    """
    return _parse(text, _PER_SECOND, "a number a second, like 20/s")


def _parse(text: str, units: dict[str, float], expected: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is not None and match["unit"] in units:
        return float(match["number"]) * units[match["unit"]]
    if match is not None and not match["unit"] and not float(match["number"]):
        return 0.0
    raise BadQuantity(f"got {text[:64]!r}, expected {expected}")
