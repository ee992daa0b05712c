"""What the lab saw between the two sides, from the captures alone. Pure.

A direct path is believed when each side's border shows datagrams from and to the other side's public address,
and each host got one. So neither datagrams that die at a NAT count, nor what went by a relay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from netlab.instruments.capture import UDP, Packet
from netlab.matrix.claim import Event
from netlab.matrix.scene import SERVERS, Side
from netlab.wiring import HOST_INTERFACE

Recordings = Mapping[tuple[str, str], Sequence[Packet]]
"""What passed each interface, by node and interface."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The datagrams that one side exchanged with the other one's public address.

    Attributes:
        sent: that left its border.
        received: that came to its border.
        let_in: that its host got.
    """

    sent: int
    received: int
    let_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What passed.

    Attributes:
        caller: seen from the caller's side.
        callee: seen from the callee's.
        opened_after: seconds from the first datagram between the two to the first that each host has got,
            None where one got none.
        timeline: the first of each kind, in seconds since the caller was started.
    """

    caller: Passage
    callee: Passage
    opened_after: float | None
    timeline: tuple[Event, ...]

    @property
    def is_direct(self) -> bool:
        """Whether datagrams passed both ways, on both sides."""
        return all(min(one.sent, one.received, one.let_in) > 0 for one in (self.caller, self.callee))


def observe(sides: tuple[Side, Side], recordings: Recordings, *, started_at: float) -> Observation:
    """Reads the captures.

    Args:
        sides: caller and callee.
        recordings: of at least both borders and both hosts.
        started_at: when the caller was started, in seconds since the epoch.
    """
    caller, callee = sides
    passages = [_passage(one, other, recordings) for one, other in ((caller, callee), (callee, caller))]
    events = [*_events(caller, callee, recordings), *_events(callee, caller, recordings)]
    timeline = sorted(
        (Event(at=round(at - started_at, 6), event=event) for at, event in events), key=lambda one: one.at
    )
    return Observation(
        caller=passages[0],
        callee=passages[1],
        opened_after=_opened_after(sides, recordings),
        timeline=tuple(timeline),
    )


def _udp(recordings: Recordings, node: str, interface: str) -> list[Packet]:
    return [packet for packet in recordings.get((node, interface), ()) if packet.protocol == UDP]


def _passage(one: Side, other: Side, recordings: Recordings) -> Passage:
    border = _udp(recordings, *one.border)
    return Passage(
        sent=sum(p.source[0] == one.public and p.destination[0] == other.public for p in border),
        received=sum(p.source[0] == other.public and p.destination[0] == one.public for p in border),
        let_in=sum(p.source[0] == other.public for p in _udp(recordings, one.host, HOST_INTERFACE)),
    )


def _events(one: Side, other: Side, recordings: Recordings) -> list[tuple[float, str]]:
    """The first packet of each kind that tells something of how the path came about, or did not."""
    border, host = _udp(recordings, *one.border), _udp(recordings, one.host, HOST_INTERFACE)
    where = one.border[0] if one.routers else one.host
    kinds: list[tuple[Sequence[Packet], Callable[[Packet], bool], Callable[[Packet], str]]] = [
        (
            border,
            lambda p: p.destination[0] in SERVERS,
            lambda p: f"{where} sends to the server from {_text(p.source)}",
        ),
        (
            border,
            lambda p: p.source[0] == one.public and p.destination[0] == other.public,
            lambda p: f"{where} sends to the {other.role}, {_text(p.source)} to {_text(p.destination)}",
        ),
        (
            border,
            lambda p: p.source[0] == other.public and p.destination[0] == one.public,
            lambda p: f"{where} gets the first datagram of the {other.role}, at {_text(p.destination)}",
        ),
        (
            host if one.routers else (),
            lambda p: p.source[0] == other.public,
            lambda p: f"{one.host} gets the first datagram of the {other.role}, from {_text(p.source)}",
        ),
    ]
    found = ((next((p for p in packets if is_it(p)), None), tell) for packets, is_it, tell in kinds)
    return [(packet.time, tell(packet)) for packet, tell in found if packet is not None]


def _opened_after(sides: tuple[Side, Side], recordings: Recordings) -> float | None:
    caller, callee = sides
    sent: list[float] = []
    got: list[float] = []
    for one, other in ((caller, callee), (callee, caller)):
        sent += [p.time for p in _udp(recordings, *one.border) if p.destination[0] == other.public][:1]
        got += [p.time for p in _udp(recordings, one.host, HOST_INTERFACE) if p.source[0] == other.public][:1]
    return round(max(got) - min(sent), 6) if len(got) == len(sides) and sent else None


def _text(endpoint: tuple[str, int]) -> str:
    return f"{endpoint[0]}:{endpoint[1]}"
