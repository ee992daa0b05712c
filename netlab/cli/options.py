"""What several commands take: options, and values such as quantities, profiles and topologies."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import click

from netlab.backends import BACKEND_NAMES
from netlab.errors import BadTopology, UnknownProfile
from netlab.profiles import NatProfile, profile
from netlab.quantities import BadQuantity, parse_duration, parse_frequency, parse_probability, parse_rate
from netlab.topology import Topology
from netlab.topology.file import load_topology

backend_option = click.option(
    "--backend",
    type=click.Choice(BACKEND_NAMES),
    default=BACKEND_NAMES[0],
    show_default=True,
    help="What the nodes are.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
lab_option = click.option("--lab", "name", help="Which lab, where there are several.")


class _Quantity(click.ParamType[float]):
    """A quantity with its unit, as a number in the base unit."""

    parse: Callable[[str], float]

    def convert(
        self, value: str | float, param: click.Parameter | None, context: click.Context | None
    ) -> float:
        """The number."""
        if isinstance(value, float):
            return value
        try:
            return type(self).parse(value)
        except BadQuantity as problem:
            self.fail(str(problem), param, context)


class Duration(_Quantity):
    """``40ms`` or ``0.04s``, as seconds."""

    name = "duration"
    parse = staticmethod(parse_duration)


class Probability(_Quantity):
    """``5%``, as 0.05."""

    name = "percentage"
    parse = staticmethod(parse_probability)


class Rate(_Quantity):
    """``20Mbit``, as bits a second."""

    name = "rate"
    parse = staticmethod(parse_rate)


class Frequency(_Quantity):
    """``20/s``, as 20."""

    name = "frequency"
    parse = staticmethod(parse_frequency)


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


class TopologyFile(click.ParamType[Topology]):
    """A TOML file that describes a lab."""

    name = "file"

    def convert(
        self, value: str | Topology, param: click.Parameter | None, context: click.Context | None
    ) -> Topology:
        """The topology in the file."""
        if isinstance(value, Topology):
            return value
        try:
            return load_topology(Path(value))
        except (BadTopology, OSError) as problem:
            self.fail(str(problem), param, context)


class IPv4(click.ParamType[IPv4Address]):
    """An IPv4 address."""

    name = "address"

    def convert(
        self, value: str | IPv4Address, param: click.Parameter | None, context: click.Context | None
    ) -> IPv4Address:
        """The address."""
        try:
            return IPv4Address(value)
        except ValueError:
            self.fail(f"got {str(value)[:64]!r}, expected an IPv4 address like 203.0.113.9", param, context)
