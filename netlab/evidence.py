"""Claims about a conversation between two NATs, decided by what was recorded. Pure: nothing is run here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netlab.instruments.capture import UDP, Packet

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something that is claimed, and whether the evidence bears it out."""

    claim: str
    holds: bool
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was seen of a conversation between hosts behind two NATs.

    Attributes:
        public_addresses: of the two NATs, by the name of the NAT.
        at_nats: the packets that passed each NAT's public side.
        at_server: the packets that passed the server.
        conntrack: each NAT's connection tracking entries, as ``conntrack -L`` prints them.
        texts: what was said.
    """

    public_addresses: Mapping[str, str]
    at_nats: Mapping[str, Sequence[Packet]]
    at_server: Sequence[Packet]
    conntrack: Mapping[str, Sequence[str]]
    texts: Sequence[str]

    def carries_text(self, data: bytes) -> bool:
        """Whether something that was said can be read in the data."""
        return any(text.encode() in data for text in self.texts)

    def direct_datagrams(self, nat: str) -> list[Packet]:
        """The UDP datagrams between the two NATs' public addresses that passed this one."""
        ends = set(self.public_addresses.values())
        return [
            packet
            for packet in self.at_nats[nat]
            if packet.protocol == UDP and {packet.source[0], packet.destination[0]} == ends
        ]


def went_directly(recording: Recording) -> Claim:
    """That datagrams passed both NATs in both directions, between the same two endpoints."""
    paths: list[set[frozenset[Endpoint]]] = []
    evidence: list[str] = []
    is_both_ways = True
    for nat, address in recording.public_addresses.items():
        packets = recording.direct_datagrams(nat)
        sent = sum(packet.source[0] == address for packet in packets)
        carried = sum(recording.carries_text(packet.payload) for packet in packets)
        is_both_ways = is_both_ways and 0 < sent < len(packets)
        paths.append({frozenset((packet.source, packet.destination)) for packet in packets})
        evidence.append(
            f"{nat}: {sent} datagrams out, {len(packets) - sent} in, {carried} with readable chat text"
        )
    seen_by_both = set.intersection(*paths)
    return Claim(
        claim="The peers' datagrams went from NAT to NAT, both ways, between the same two endpoints",
        holds=is_both_ways and bool(seen_by_both),
        evidence=(*evidence, *(_path_text(path) for path in sorted(seen_by_both, key=sorted))),
    )


def is_tracked(recording: Recording) -> Claim:
    """That each NAT has a two-way mapping between a host behind it and the other NAT."""
    flows = {
        nat: next((line for line in recording.conntrack[nat] if _is_flow(line, own, other)), None)
        for nat, own in recording.public_addresses.items()
        for other in recording.public_addresses.values()
        if other != own
    }
    return Claim(
        claim="Each NAT holds a mapping for the other one, with traffic both ways",
        holds=None not in flows.values(),
        evidence=tuple(f"{nat}: {' '.join(flow.split()) if flow else 'none'}" for nat, flow in flows.items()),
    )


def server_is_out(recording: Recording) -> Claim:
    """That nothing of what was said can be read in what passed the server, in any flow's joined data.

    A server that saw nothing at all was not recorded properly, and proves nothing.
    """
    flows: dict[tuple[int, Endpoint, Endpoint], bytes] = {}
    for packet in recording.at_server:
        flow = (packet.protocol, packet.source, packet.destination)
        flows[flow] = flows.get(flow, b"") + packet.payload
    carried = sum(recording.carries_text(data) for data in flows.values())
    size = sum(map(len, flows.values()))
    return Claim(
        claim="No chat text passed the server",
        holds=size > 0 and carried == 0,
        evidence=(
            f"server: {len(recording.at_server)} packets, {size} bytes of data in {len(flows)} flows",
            f"server: {carried} flows with readable chat text",
        ),
    )


def _is_flow(line: str, own: str, other: str) -> bool:
    """Whether a conntrack line is a UDP flow to ``other`` and back that leaves as ``own``, answered."""
    addresses = re.findall(r"(?:src|dst)=(\S+)", line)
    is_outward = len(addresses) == 4 and addresses[1:] == [other, other, own]
    return line.startswith("udp") and is_outward and "[UNREPLIED]" not in line


def _path_text(path: frozenset[Endpoint]) -> str:
    return " <-> ".join(f"{ip}:{port}" for ip, port in sorted(path))
