"""Values on the command line: durations, probabilities, profiles."""

from __future__ import annotations

import re

import click

from netlab.errors import UnknownProfile
from netlab.profiles import NatProfile, profile

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s)")
_PERCENT = re.compile(r"(?P<number>\d+(?:\.\d+)?)%")


class Duration(click.ParamType[float]):
    """``40ms`` or ``0.04s``, as seconds; a unit is required, except for 0."""

    name = "duration"

    def convert(
        self, value: str | float, param: click.Parameter | None, context: click.Context | None
    ) -> float:
        """The number of seconds."""
        if isinstance(value, float) or value == "0":
            return float(value)
        match = _DURATION.fullmatch(value)
        if match is None:
            self.fail(f"got {value!r}, expected a number with a unit, like 40ms or 0.04s", param, context)
        return float(match["number"]) / (1000 if match["unit"] == "ms" else 1)


class Probability(click.ParamType[float]):
    """``5%``, as 0.05."""

    name = "percentage"

    def convert(
        self, value: str | float, param: click.Parameter | None, context: click.Context | None
    ) -> float:
        """The probability, from 0 to 1."""
        if isinstance(value, float) or value == "0":
            return float(value)
        match = _PERCENT.fullmatch(value)
        if match is None:
            self.fail(f"got {value!r}, expected a percentage, like 5%", param, context)
        return float(match["number"]) / 100


class Profile(click.ParamType[NatProfile]):
    """The name of a NAT profile."""

    name = "profile"

    def convert(
        self, value: str | NatProfile, param: click.Parameter | None, context: click.Context | None
    ) -> NatProfile:
        """The profile."""
        if isinstance(value, NatProfile):
            return value
        try:
            return profile(value)
        except UnknownProfile as problem:
            self.fail(str(problem), param, context)
