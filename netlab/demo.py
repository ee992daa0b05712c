"""The demonstration: elsa and anna, each behind a NAT, chat without the server in between, and prove it.

The chat is played with the real programs through their command lines. Then everything that was claimed is
looked up where it cannot be argued with: in the connection tracking of both NATs, and in what was recorded
at both NATs' public side and at the server.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netlab.backend import Backend
from netlab.evidence import Claim, Recording, is_tracked, server_is_out, went_directly
from netlab.interrupts import stop_listening
from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import profile
from netlab.topology.scenes import PEERS, SERVER, two_nats
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

Tell = Callable[[str, str], None]
"""Takes who, and what they typed or saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """What was seen.

    Attributes:
        lab: the name of the lab.
        transcript: who, and what they typed or saw, in the order of the play.
        claims: the claims with their evidence.
        seconds: how long it all took, the lab's coming up and going down included.
    """

    lab: str
    transcript: tuple[tuple[str, str], ...]
    claims: tuple[Claim, ...]
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether every claim held."""
        return all(claim.holds for claim in self.claims)


def demonstrate(
    backend: Backend, *, tell: Tell | None = None, keep: bool = False, artefacts: Path | None = None
) -> Demonstration:
    """Builds the lab, plays the chat, gathers the evidence, and takes the lab down unless ``keep``.

    Args:
        backend: what the nodes are.
        tell: called with each line of the chat as it is played.
        keep: leave the lab running, and end without listening to interrupts any more.
        artefacts: the folder for the programs' output and the captures; a passing one by default.

    Raises:
        LabError: the lab could not be built, or a program did not do its part.
    """
    started = time.monotonic()
    topology = two_nats(profile(PROFILE), profile(PROFILE))
    addresses = {nat.name: str(nat.wan_address) for nat in topology.nats}
    with Lab(topology, backend=backend, artefacts=artefacts) as lab:
        captures = {nat: lab.capture(nat, WAN) for nat in addresses}
        server_capture = lab.capture(SERVER, HOST_INTERFACE)
        play = _Play(lab, str(topology.public_hosts[0].addresses[0]), tell or _tell_nobody)
        exit_codes = play.perform()
        recording = Recording(
            public_addresses=addresses,
            at_nats={nat: capture.stop() for nat, capture in captures.items()},
            at_server=server_capture.stop(),
            conntrack={nat: lab.conntrack(nat) for nat in addresses},
            texts=[text for _, _, text in DIALOGUE],
        )
        claims = (
            _are_proven(lab),
            _are_observed(play.observed, dict(zip(PEERS, addresses.values(), strict=True))),
            went_directly(recording),
            is_tracked(recording),
            server_is_out(recording),
            _ended_well(exit_codes),
        )
        if keep:
            stop_listening()  # from here on it is up, and an interrupt could not say so
            lab.detach()
    seconds = time.monotonic() - started
    return Demonstration(lab=lab.name, transcript=tuple(play.transcript), claims=claims, seconds=seconds)


class _Play:
    """The programs, what they are told, and what they show."""

    def __init__(self, lab: Lab, server_address: str, tell: Tell) -> None:
        self._lab = lab
        self._server_address = server_address
        self._tell = tell
        self.transcript: list[tuple[str, str]] = []
        self.observed: dict[str, str] = {}

    def perform(self) -> dict[str, int]:
        """Plays the whole scene; returns the exit codes of both chats."""
        options = ("--host", self._server_address, "--port", str(PORT))
        server = self._lab.start(SERVER, ["rendezvous", *options])
        self._see(SERVER, server, "server starts on ip")
        chats = {name: self._enter(name, server) for name in PEERS}
        for name, chat in chats.items():
            self._wake(name, chat, server)
        for speaker, listener, text in DIALOGUE:
            self._type(speaker, chats[speaker], f"@chat {listener} {text}")
            self._see(speaker, chats[speaker], "delivered")
            self._see(listener, chats[listener], re.escape(f"From {speaker} [{text}]"))
        for name, chat in chats.items():
            self._type(name, chat, "@exit")
        return {name: chat.wait() for name, chat in chats.items()}

    def _enter(self, name: str, server: NodeProcess) -> NodeProcess:
        argv = ["peer", "chat", "--id", name, "--server", self._server_address]
        chat = self._lab.start(name, argv)
        self._see(SERVER, server, rf"\b{name} Asleep")
        return chat

    def _wake(self, name: str, chat: NodeProcess, server: NodeProcess) -> None:
        self._type(name, chat, "@awake")
        self._see(name, chat, "Awake")
        self.observed[name] = self._see(SERVER, server, rf"\b{name} Awake").rpartition(" ")[2]

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


def _tell_nobody(_who: str, _line: str) -> None:
    return


def _are_proven(lab: Lab) -> Claim:
    evidence = [
        f"{proof.node}: {proof.measured['mapping']} mapping, {proof.measured['filtering']} filtering"
        for proof in lab.proofs
    ]
    holds = len(lab.proofs) == len(PEERS) and all(proof.holds for proof in lab.proofs)
    return Claim(claim=f"Both NATs measure as {PROFILE}", holds=holds, evidence=tuple(evidence))


def _are_observed(observed: dict[str, str], expected: dict[str, str]) -> Claim:
    return Claim(
        claim="The server observed each peer at its NAT's public address",
        holds=all(observed[name].rpartition(":")[0] == expected[name] for name in PEERS),
        evidence=tuple(f"{name} at {observed[name]}" for name in PEERS),
    )


def _ended_well(exit_codes: dict[str, int]) -> Claim:
    return Claim(
        claim="Both chats ended with exit code 0",
        holds=not any(exit_codes.values()),
        evidence=tuple(f"{name}: {code}" for name, code in exit_codes.items()),
    )
