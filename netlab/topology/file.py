"""Topologies as TOML files, and as the plain objects that the state of a lab is stored in.

A file reads like this; only ``nats`` and ``hosts`` are needed, and every table says what it may hold::

    rtt = "40ms"

    [profiles.strict]                  # a behaviour of one's own, beside the named ones
    mapping = "address-and-port-dependent"
    filtering = "address-and-port-dependent"
    allocation = "sequential"
    port_step = 2

    [nats.home]
    profile = "strict"
    address = "203.0.113.7"
    network = "192.168.1.0/24"
    link = { delay = "10ms", jitter = "2ms", loss = "1%", rate = "20Mbit" }

    [hosts.server]
    addresses = ["198.51.100.10", "198.51.100.20"]

    [hosts.laptop]
    behind = "home"
    addresses = ["192.168.1.10"]

A host with several interfaces has ``interfaces``, a list of tables with ``behind``, ``addresses`` and
``link``, instead of these three.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any, TypeVar

from natcore.nat import EarlyInbound, FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation
from netlab.complaint import one_line, shortened
from netlab.errors import BadTopology, LabError
from netlab.nearest import guess
from netlab.profiles import COMBINATIONS, PROFILES, Boundary, NatProfile, profile
from netlab.quantities import BadQuantity, parse_duration, parse_probability, parse_rate
from netlab.toml_file import BadToml, read_toml, shown
from netlab.topology.link import PERFECT, Link
from netlab.topology.values import Host, Interface, IPAddress, Nat, Topology

Document = dict[str, Any]
"""What TOML and JSON can hold: tables, lists, text, numbers and truth values."""

MAX_FILE_SIZE = 1 << 18
"""Bytes; a lab of the greatest size needs less than half of it."""

_MAX_COMPLAINT = 400
"""Characters; the longest that is said of words of usual length has half of that."""

_MAX_PORTS = 64
"""Ports that a profile may let TCP out to; the probe tries each of them."""

_MAX_PROFILE_NAME = 64
"""Characters."""

EnumT = TypeVar("EnumT", bound=Enum)
ValueT = TypeVar("ValueT")


def load_topology(path: Path) -> Topology:
    """The topology in a TOML file.

    Raises:
        BadTopology: the file is no TOML, or describes no lab; the text names the file and the place.
        OSError: the file cannot be read.
    """
    try:
        return from_document(read_toml(path, max_size=MAX_FILE_SIZE))
    except (BadToml, LabError) as problem:
        raise BadTopology(f"{path}: {shortened(one_line(str(problem)), _MAX_COMPLAINT)}") from None


def from_document(document: Mapping[str, object]) -> Topology:
    """The topology that a document describes.

    Raises:
        BadTopology: it describes no lab.
        UnknownProfile: it names a profile that there is not.
    """
    reader = _Table(document, "the file")
    reader.allow("rtt", "loss", "profiles", "nats", "hosts")
    own = {name: _profile(name, table) for name, table in reader.tables("profiles")}
    return Topology(
        nats=tuple(_nat(name, table, own) for name, table in reader.tables("nats")),
        hosts=tuple(_host(name, table) for name, table in reader.tables("hosts")),
        rtt=reader.take("rtt", _duration, 0.0),
        loss=reader.take("loss", _probability, 0.0),
    )


def to_document(topology: Topology) -> Document:
    """The document that describes a topology; reading it gives an equal one."""
    return {
        "rtt": topology.rtt,
        "loss": topology.loss,
        "profiles": {own.name: profile_document(own) for own in _own_profiles(topology)},
        "nats": {nat.name: _nat_document(nat) for nat in topology.nats},
        "hosts": {
            host.name: {"interfaces": [_interface_document(leg) for leg in host.interfaces]}
            for host in topology.hosts
        },
    }


def _own_profiles(topology: Topology) -> list[NatProfile]:
    """The profiles that no name stands for."""
    known = {**PROFILES, **COMBINATIONS}
    return [nat.profile for nat in topology.nats if known.get(nat.profile.name) != nat.profile]


class _Table:
    """A table of the document, and where it stands, for messages."""

    def __init__(self, values: object, place: str) -> None:
        if not isinstance(values, Mapping):
            raise BadTopology(f"{place}: got {shown(values)}, expected a table")
        self._values = values
        self.place = place

    def allow(self, *names: str) -> None:
        """Refuses every key but these, and says which is the nearest."""
        for key in self._values:
            if key not in names:
                raise BadTopology(f"{self.place}: unknown key {str(key)[:64]!r}: {guess(key, names)}")

    def has(self, name: str) -> bool:
        return name in self._values

    def tables(self, name: str) -> list[tuple[str, _Table]]:
        """The tables within a table, by name."""
        outer = _Table(self._values.get(name, {}), name)
        return [(key, _Table(value, f"{name}.{key}")) for key, value in outer._values.items()]

    def take(self, name: str, convert: Callable[[object], ValueT], default: ValueT | None = None) -> ValueT:
        """A value, converted.

        Raises:
            BadTopology: it is not there and there is no default, or it cannot be converted.
        """
        if name not in self._values:
            if default is None:
                raise BadTopology(f"{self.place}: {name!r} is missing")
            return default
        try:
            return convert(self._values[name])
        except (ValueError, BadQuantity) as problem:
            raise BadTopology(f"{self.place}.{name}: {problem}") from None
        except BadTopology as problem:
            raise BadTopology(f"{self.place}.{problem}") from None

    def take_or_none(self, name: str, convert: Callable[[object], ValueT]) -> ValueT | None:
        """The same, or None where it is not there."""
        return self.take(name, convert) if name in self._values else None


_BEHAVIOR: dict[str, Callable[[object], object]] = {
    "mapping": lambda value: _member(MappingBehavior, value),
    "filtering": lambda value: _member(FilteringBehavior, value),
    "allocation": lambda value: _member(PortAllocation, value),
    "port_step": lambda value: _integer(value, 1, 1000),
    "port_pool": lambda value: _integer(value, 1, 64512),
    "hairpinning": lambda value: _truth(value),
    "mapping_lifetime": lambda value: _duration(value),
    "inbound_refresh": lambda value: _truth(value),
    "early_inbound": lambda value: _member(EarlyInbound, value),
    "udp_blocked": lambda value: _truth(value),
}
"""How each part of a behaviour is read."""


def _profile(name: str, table: _Table) -> NatProfile:
    if not (name.isprintable() and 0 < len(name) <= _MAX_PROFILE_NAME):
        expected = f"up to {_MAX_PROFILE_NAME} printable characters"
        raise BadTopology(f"profile name: got {shown(name)}, expected {expected}")
    table.allow(*_BEHAVIOR, "boundary", "tcp_ports", "summary", "devices")
    chosen = {part: table.take(part, convert) for part, convert in _BEHAVIOR.items() if table.has(part)}
    boundary = table.take("boundary", lambda value: _member(Boundary, value), Boundary.NAT)
    ports = table.take_or_none("tcp_ports", _ports)
    behavior = NatBehavior(**chosen)  # type: ignore[arg-type]  # the table above has the right type for each
    return NatProfile(
        name=name,
        behavior=behavior,
        boundary=boundary,
        tcp_ports=ports,
        summary=table.take("summary", _text, "a profile of one's own"),
        devices=table.take("devices", _text, ""),
    )


def profile_document(own: NatProfile) -> Document:
    """A profile of one router as a table of a file; of a profile with a carrier's NAT, the router at home."""
    behavior = own.behavior
    parts = {field.name: getattr(behavior, field.name) for field in fields(behavior)}
    document = {part: _plain(value) for part, value in parts.items() if value is not None}
    document |= {"boundary": own.boundary.value, "summary": own.summary, "devices": own.devices}
    return document if own.tcp_ports is None else {**document, "tcp_ports": list(own.tcp_ports)}


def _nat(name: str, table: _Table, own: Mapping[str, NatProfile]) -> Nat:
    table.allow("profile", "address", "network", "gateway", "network6", "behind", "link")
    wanted = table.take("profile", _text)
    return Nat(
        name=name,
        profile=own[wanted] if wanted in own else profile(wanted),
        wan_address=table.take("address", _ipv4_address),
        lan_network=table.take("network", _ipv4_network),
        lan_address=table.take_or_none("gateway", _ipv4_address),
        behind=table.take_or_none("behind", _text),
        lan6_network=table.take_or_none("network6", _ipv6_network),
        link=table.take("link", _link, PERFECT),
    )


def _nat_document(nat: Nat) -> Document:
    document = {
        "profile": nat.profile.name,
        "address": str(nat.wan_address),
        "network": str(nat.lan_network),
        "link": _link_document(nat.link),
    }
    optional = {"gateway": nat.lan_address, "network6": nat.lan6_network, "behind": nat.behind}
    return document | {key: str(value) for key, value in optional.items() if value is not None}


def _host(name: str, table: _Table) -> Host:
    if not table.has("interfaces"):
        return Host(name=name, interfaces=(_interface(table),))
    table.allow("interfaces")
    legs = table.take("interfaces", _list)
    places = [_Table(leg, f"hosts.{name}.interfaces[{number}]") for number, leg in enumerate(legs)]
    return Host(name=name, interfaces=tuple(_interface(place) for place in places))


def _interface(table: _Table) -> Interface:
    table.allow("behind", "addresses", "link")
    return Interface(
        nat=table.take_or_none("behind", _text),
        addresses=table.take("addresses", _addresses),
        link=table.take("link", _link, PERFECT),
    )


def _interface_document(leg: Interface) -> Document:
    document: Document = {"addresses": list(map(str, leg.addresses)), "link": _link_document(leg.link)}
    return document if leg.nat is None else {**document, "behind": leg.nat}


def _link(value: object) -> Link:
    table = _Table(value, "link")
    table.allow("delay", "jitter", "loss", "rate")
    parts = {
        "delay": table.take("delay", _duration, 0.0),
        "jitter": table.take("jitter", _duration, 0.0),
        "loss": table.take("loss", _probability, 0.0),
        "rate": table.take_or_none("rate", _rate),
    }
    try:
        return Link(**parts)  # type: ignore[arg-type]  # None for the rate alone
    except BadTopology as problem:
        raise BadTopology(f"link: {problem}") from None


def _link_document(link: Link) -> Document:
    document: Document = {"delay": link.delay, "jitter": link.jitter, "loss": link.loss}
    return document if link.rate is None else {**document, "rate": link.rate}


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"got {shown(value)}, expected text")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"got {shown(value)}, expected true or false")
    return value


def _integer(value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"got {shown(value)}, expected a whole number from {low} to {high}")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"got {shown(value)}, expected a list")
    return value


def _member(kind: type[EnumT], value: object) -> EnumT:
    names = [str(member.value) for member in kind]
    if value not in names:
        raise ValueError(f"got {shown(value)}: {guess(value, names)}")
    return kind(value)


def _ports(value: object) -> tuple[int, ...]:
    ports = tuple(_integer(port, 1, 65535) for port in _list(value))
    if not 1 <= len(ports) <= _MAX_PORTS:
        raise ValueError(f"got {len(ports)} ports, expected 1 to {_MAX_PORTS}")
    return ports


def _addresses(value: object) -> tuple[IPAddress, ...]:
    return tuple(ip_address(_text(address)) for address in _list(value))


def _ipv4_address(value: object) -> IPv4Address:
    return IPv4Address(_text(value))


def _ipv4_network(value: object) -> IPv4Network:
    return IPv4Network(_text(value))


def _ipv6_network(value: object) -> IPv6Network:
    return IPv6Network(_text(value))


def _quantity(value: object, parse: Callable[[str], float]) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)  # in the base unit, as a program writes it
        except OverflowError:
            return math.inf  # which is too much of everything
    return parse(_text(value))


def _duration(value: object) -> float:
    return _quantity(value, parse_duration)


def _probability(value: object) -> float:
    return _quantity(value, parse_probability)


def _rate(value: object) -> float:
    return _quantity(value, parse_rate)
