"""The demonstration: elsa and anna, each behind a NAT, chat without the server in between, and prove it.

The chat is played with the real programs through their command lines. Then everything that was claimed is
looked up where it cannot be argued with: in the connection tracking of both NATs, and in what was recorded
at both NATs' public side and at the server.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from netlab.backend import Backend
from netlab.capture import UDP, Packet
from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import profile
from netlab.topology import PEERS, SERVER, Topology, two_nats
from netlab.wiring import HOST_INTERFACE, WAN

ELSA, ANNA = PEERS
PROFILE = "port-restricted"
PORT = 10080

DIALOGUE = (
    (ELSA, ANNA, "Hello Anna, can you hear me through two NATs?"),
    (ANNA, ELSA, "Every word, and no server between us."),
    (ELSA, ANNA, "Then the hole is open on both sides."),
)
"""Who says what to whom."""

Endpoint = tuple[str, int]
Tell = Callable[[str, str], None]
"""Takes who, and what they typed or saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something that the demonstration claims, and whether the evidence bears it out."""

    claim: str
    holds: bool
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """What was seen.

    Attributes:
        lab: the name of the lab.
        transcript: who, and what they typed or saw, in the order of the play.
        claims: the claims with their evidence.
        seconds: how long it all took, the lab's coming up included.
    """

    lab: str
    transcript: tuple[tuple[str, str], ...]
    claims: tuple[Claim, ...]
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether every claim held."""
        return all(claim.holds for claim in self.claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recording:
    """What passed the public side of both NATs, and the server."""

    at_nat: dict[str, list[Packet]]
    at_server: list[Packet]


def demonstrate(
    backend: Backend, *, tell: Tell | None = None, keep: bool = False, artefacts: Path | None = None
) -> Demonstration:
    """Builds the lab, plays the chat, gathers the evidence, and takes the lab down unless ``keep``.

    Args:
        backend: what the nodes are.
        tell: called with each line of the chat as it is played.
        keep: leave the lab running.
        artefacts: the folder for the programs' output and the captures; a passing one by default.

    Raises:
        LabError: the lab could not be built, or a program did not do its part.
    """
    started = time.monotonic()
    topology = two_nats(profile(PROFILE), profile(PROFILE))
    with Lab(topology, backend=backend, artefacts=artefacts) as lab:
        captures = {nat.name: lab.capture(nat.name, WAN) for nat in topology.nats}
        server_capture = lab.capture(SERVER, HOST_INTERFACE)
        play = _Play(lab, str(topology.public_hosts[0].addresses[0]), tell)
        exit_codes = play.perform()
        conntrack = {nat.name: lab.conntrack(nat.name) for nat in topology.nats}
        recording = _Recording(
            at_nat={name: capture.stop() for name, capture in captures.items()},
            at_server=server_capture.stop(),
        )
        claims = (
            _proven(lab),
            _observed(topology, play.observed),
            *_direct(topology, recording, conntrack),
            _server_is_out(recording),
            _ended_well(exit_codes),
        )
        if keep:
            lab.detach()
    return Demonstration(
        lab=lab.name,
        transcript=tuple(play.transcript),
        claims=claims,
        seconds=time.monotonic() - started,
    )


class _Play:
    """The programs, what they are told, and what they show."""

    def __init__(self, lab: Lab, server_address: str, tell: Tell | None) -> None:
        self._lab = lab
        self._server_address = server_address
        self._tell = tell or (lambda _who, _text: None)
        self.transcript: list[tuple[str, str]] = []
        self.observed: dict[str, str] = {}

    def perform(self) -> dict[str, int]:
        """Plays the whole scene; returns the exit codes of both chats."""
        options = ("--host", self._server_address, "--port", str(PORT))
        server = self._lab.start(SERVER, ["rendezvous", *options])
        self._see(SERVER, server, "server starts on ip")
        chats: dict[str, NodeProcess] = {}
        for name in PEERS:
            chats[name] = self._lab.start(
                name, ["peer", "chat", "--id", name, "--server", self._server_address]
            )
            self._see(SERVER, server, rf"\b{name} Asleep")
        for name in PEERS:
            self._type(name, chats[name], "@awake")
            self._see(name, chats[name], "Awake")
            line = self._see(SERVER, server, rf"\b{name} Awake")
            self.observed[name] = line.rpartition(" ")[2]
        for speaker, listener, text in DIALOGUE:
            self._type(speaker, chats[speaker], f"@chat {listener} {text}")
            self._see(speaker, chats[speaker], "delivered")
            self._see(listener, chats[listener], re.escape(f"From {speaker} [{text}]"))
        for name in PEERS:
            self._type(name, chats[name], "@exit")
        return {name: chat.wait() for name, chat in chats.items()}

    def _type(self, who: str, chat: NodeProcess, line: str) -> None:
        chat.write_line(line)
        self._note(who, f"> {line}")

    def _see(self, who: str, program: NodeProcess, pattern: str) -> str:
        line = program.wait_for_line(pattern)
        self._note(who, line)
        return line

    def _note(self, who: str, line: str) -> None:
        self.transcript.append((who, line))
        self._tell(who, line)


def _proven(lab: Lab) -> Claim:
    evidence = [
        f"{proof.node}: {proof.measured['mapping']} mapping, {proof.measured['filtering']} filtering"
        for proof in lab.proofs
    ]
    holds = len(lab.proofs) == len(PEERS) and all(proof.holds for proof in lab.proofs)
    return Claim(claim=f"Both NATs measure as {PROFILE}", holds=holds, evidence=tuple(evidence))


def _observed(topology: Topology, observed: dict[str, str]) -> Claim:
    expected = {name: str(nat.wan_address) for name, nat in zip(PEERS, topology.nats, strict=True)}
    return Claim(
        claim="The server observed each peer at its NAT's public address",
        holds=all(observed[name].rpartition(":")[0] == expected[name] for name in PEERS),
        evidence=tuple(f"{name} at {observed[name]}" for name in PEERS),
    )


def _direct(
    topology: Topology, recording: _Recording, conntrack: dict[str, list[str]]
) -> tuple[Claim, Claim]:
    public = [str(nat.wan_address) for nat in topology.nats]
    seen = [between(recording.at_nat[nat.name], public[0], public[1]) for nat in topology.nats]
    paths = [{frozenset((packet.source, packet.destination)) for packet in packets} for packets in seen]
    evidence = []
    for nat, packets in zip(topology.nats, seen, strict=True):
        sent = sum(packet.source[0] == str(nat.wan_address) for packet in packets)
        carried = sum(_carries_dialogue(packet.payload) for packet in packets)
        evidence.append(
            f"{nat.name}: {sent} datagrams out, {len(packets) - sent} in, {carried} with readable chat text"
        )
    evidence += [_path_text(path) for path in sorted(paths[0] | paths[1], key=sorted)]
    flows = [
        next((line for line in conntrack[nat.name] if _is_flow(line, nat_address, other)), None)
        for nat, nat_address, other in zip(topology.nats, public, reversed(public), strict=True)
    ]
    return (
        Claim(
            claim="The peers' datagrams went from NAT to NAT, both ways, between the same two endpoints",
            holds=all(_both_ways(packets) for packets in seen) and bool(paths[0] & paths[1]),
            evidence=tuple(evidence),
        ),
        Claim(
            claim="Each NAT holds a mapping for the other one, with traffic both ways",
            holds=None not in flows,
            evidence=tuple(
                f"{nat.name}: {flow or 'none'}" for nat, flow in zip(topology.nats, flows, strict=True)
            ),
        ),
    )


def between(packets: Sequence[Packet], one: str, other: str) -> list[Packet]:
    """The UDP datagrams between two addresses, in either direction."""
    ends = {one, other}
    return [
        packet
        for packet in packets
        if packet.protocol == UDP and {packet.source[0], packet.destination[0]} == ends
    ]


def _server_is_out(recording: _Recording) -> Claim:
    streams: dict[tuple[int, Endpoint, Endpoint], bytes] = {}
    for packet in recording.at_server:
        flow = (packet.protocol, packet.source, packet.destination)
        streams[flow] = streams.get(flow, b"") + packet.payload
    carried = sum(_carries_dialogue(stream) for stream in streams.values())
    size = sum(map(len, streams.values()))
    passed = f"{len(recording.at_server)} packets, {size} bytes of data, {len(streams)} flows"
    return Claim(
        claim="No chat text passed the server",
        holds=bool(streams) and carried == 0,
        evidence=(f"{SERVER}: {passed}, {carried} of them with chat text",),
    )


def _ended_well(exit_codes: dict[str, int]) -> Claim:
    return Claim(
        claim="Both chats ended with exit code 0",
        holds=not any(exit_codes.values()),
        evidence=tuple(f"{name}: {code}" for name, code in exit_codes.items()),
    )


def _carries_dialogue(data: bytes) -> bool:
    return any(text.encode() in data for _, _, text in DIALOGUE)


def _both_ways(packets: Sequence[Packet]) -> bool:
    return len({packet.source[0] for packet in packets}) == 2


def _path_text(path: frozenset[Endpoint]) -> str:
    return " <-> ".join(f"{ip}:{port}" for ip, port in sorted(path))


def _is_flow(line: str, nat_address: str, other: str) -> bool:
    """Whether a conntrack line is a two-way UDP flow that a host behind the NAT has with the other NAT."""
    addresses = re.findall(r"(?:src|dst)=(\S+)", line)
    outward = len(addresses) == 4 and addresses[1] == other and addresses[2:] == [other, nat_address]
    return line.startswith("udp") and outward and "[UNREPLIED]" not in line
