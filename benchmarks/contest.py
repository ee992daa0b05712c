"""A pair of NATs in the lab, and every contestant calling through it in turn.

The contestants' programs are started once and do all runs. Their runs are interleaved, A B C A B C, so that
noise of the machine hits all alike. Before each run the NATs forget every UDP flow, and both sides take
fresh ports: no run profits from a hole that an earlier one left.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from benchmarks.contestant import CLOSE, PLAY, PLAY_TIMEOUT, PREPARE_TIMEOUT, Role
from netlab.errors import ProcessFailed
from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import NatProfile
from netlab.tools import find_tool
from netlab.topology import Topology
from netlab.topology.scenes import PEERS, SERVER, two_nats

OURS = "ours"

_OURS = MappingProxyType({OURS: "early", "ours, no early data": "late"})
"""When each of ours sends the payload."""

_AIOICE = MappingProxyType(
    {"aioice": "none", "aioice, gathered": "gathered", "aioice, exchanged": "exchanged"}
)
"""How each of aioice is prepared."""

CONTESTANTS = (*_OURS, *_AIOICE)
"""In the order of their turns; with loss only ours take part, as there is no target for aioice then."""

_ROOT = Path(__file__).parent.parent

_LINE_RELAY = "netlab.matrix.programs.line_relay"
_RELAY_PORT = 10081
"""Of the first line relay; each preparation of aioice has one of its own."""

REST = 1.0
"""Seconds between being prepared and the call where packets get lost: programs that have run for a while have
nothing under way that waits to be repeated, as those have that registered just now."""

_ANSWER_MARGIN = 5.0
"""Seconds by which we outwait a program that gives up by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One call.

    Attributes:
        seconds: from the decision to connect to the payload's arrival at the other peer, None if it failed.
        read_seconds: the same to when the other side's application could read it.
        failure: why, empty where it did not.
    """

    seconds: float | None = None
    read_seconds: float | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """All runs through one pair of NATs.

    Attributes:
        caller_nat: elsa's, who calls.
        callee_nat: anna's.
        loss: the probability of losing a packet on the core.
        measured_rtt: seconds; the median of some pings from both peers to the server.
        runs: by contestant, in the order in which they were played.
    """

    caller_nat: NatProfile
    callee_nat: NatProfile
    loss: float = 0.0
    measured_rtt: float
    runs: Mapping[str, tuple[Run, ...]]

    @property
    def name(self) -> str:
        """The pair, the caller's NAT first, and the loss."""
        loss = f", {self.loss:.0%} loss" if self.loss else ""
        return f"{self.caller_nat.name} x {self.callee_nat.name}{loss}"


def hold_contest(
    caller_nat: NatProfile,
    callee_nat: NatProfile,
    *,
    rtt: float,
    runs: int,
    loss: float = 0.0,
    artefacts: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Contest:
    """Builds the lab and plays all runs.

    Args:
        caller_nat: elsa's.
        callee_nat: anna's.
        rtt: seconds for every round trip over the core.
        runs: of each contestant.
        loss: the probability of losing a packet on the core.
        artefacts: keeps the programs' output; a passing folder by default.
        tell: takes a line for each run that failed.

    Raises:
        LabError: the lab could not be built, or a program in it broke down.
    """
    with Lab(two_nats(caller_nat, callee_nat, rtt=rtt, loss=loss), artefacts=artefacts) as lab:
        measured_rtt = _measure_rtt(lab)
        sides = _start_all(lab, with_aioice=not loss)
        played: dict[str, list[Run]] = {name: [] for name in sides}
        for number in range(runs):
            for name, pair in sides.items():
                _forget_flows(lab)
                run = pair.play(number, rest=REST if loss else 0.0)
                if run.seconds is not None and not _is_direct(lab):
                    run = Run(failure="no direct flow in a NAT's connection tracking")
                if run.failure:
                    tell(f"{name}, run {number}: {run.failure}")
                played[name].append(run)
                pair.close()
    return Contest(
        caller_nat=caller_nat,
        callee_nat=callee_nat,
        loss=loss,
        measured_rtt=measured_rtt,
        runs={name: tuple(of_one) for name, of_one in played.items()},
    )


class _Pair:
    """The two programs of one contestant."""

    def __init__(self, caller: NodeProcess, callee: NodeProcess) -> None:
        self._caller = caller
        self._callee = callee

    def play(self, number: int, *, rest: float) -> Run:
        self._order_both(str(number), timeout=PREPARE_TIMEOUT)
        time.sleep(rest)
        called, received = self._order_both(PLAY, timeout=PLAY_TIMEOUT)
        failures = [
            f"{role}: {answer['failed']}"
            for role, answer in ((Role.CALLER, called), (Role.CALLEE, received))
            if "failed" in answer
        ]
        if failures:
            return Run(failure="; ".join(failures))
        started_at = called["started_at"]
        return Run(seconds=received["arrived_at"] - started_at, read_seconds=received["read_at"] - started_at)

    def close(self) -> None:
        self._order_both(CLOSE, timeout=PLAY_TIMEOUT)

    def _order_both(self, order: str, *, timeout: float) -> list[dict[str, float]]:
        """Gives an order to the callee and then to the caller; returns the answers, the caller's first."""
        self._callee.write_line(order)
        self._caller.write_line(order)
        patience = timeout + _ANSWER_MARGIN
        return [
            json.loads(side.wait_for_line(r"^\{", timeout=patience)) for side in (self._caller, self._callee)
        ]


def _start_all(lab: Lab, *, with_aioice: bool) -> dict[str, _Pair]:
    server = str(lab.topology.public_hosts[0].addresses[0])
    rendezvous = lab.start(SERVER, ["rendezvous", "--host", server])
    rendezvous.wait_for_line("listening on")
    pairs = {
        name: _start_pair(lab, f"ours-{when}", "benchmarks.peer_contestant", server, when)
        for name, when in _OURS.items()
    }
    aioice = _AIOICE if with_aioice else {}
    for port, (name, preparation) in enumerate(aioice.items(), _RELAY_PORT):
        label = f"aioice-{preparation}"
        relay = lab.start(
            SERVER, module_command("netlab.matrix.programs.line_relay", str(port)), label=f"relay-{label}"
        )
        relay.wait_for_line("^READY$")
        pairs[name] = _start_pair(lab, label, "benchmarks.aioice_contestant", server, str(port), preparation)
    return pairs


def _start_pair(lab: Lab, label: str, module: str, server: str, *options: str) -> _Pair:
    caller, callee = (
        lab.start(node, module_command(module, role, server, *options), label=f"{node}-{label}")
        for node, role in zip(PEERS, Role, strict=True)
    )
    return _Pair(caller, callee)


def module_command(module: str, *arguments: str) -> list[str]:
    """The argv that runs a module of this checkout, wherever the benchmark was called from."""
    return ["env", f"--chdir={_ROOT}", sys.executable, "-m", module, *arguments]


def _forget_flows(lab: Lab) -> None:
    """Closes every UDP hole; TCP, and with it the connections for signalling, stays."""
    for nat in lab.topology.nats:
        # Its exit code is 1 where there was nothing to forget.
        lab.run(nat.name, [find_tool("conntrack"), "-D", "-p", "udp"])
        flushed = lab.run(nat.name, [find_tool("ipset"), "flush"])
        if flushed.returncode != 0:
            raise ProcessFailed(f"ipset on {nat.name}", expected="to flush", got=flushed.stderr.strip())


def _is_direct(lab: Lab) -> bool:
    """Whether every NAT has seen datagrams from and to the other peer's public address."""
    public = _public_addresses(lab.topology)
    return all(
        any(_is_flow_with(line, public[other]) for line in lab.conntrack(nat.name))
        for nat in lab.topology.nats
        for other in PEERS
        if nat.name != f"nat-{other}"
    )


def _is_flow_with(line: str, address: str) -> bool:
    return line.startswith("udp") and "[UNREPLIED]" not in line and f"={address} " in line


def _public_addresses(topology: Topology) -> dict[str, str]:
    return {host.name: str(topology.public_address_of(host)) for host in topology.hosts if host.name in PEERS}


def _measure_rtt(lab: Lab) -> float:
    server = str(lab.topology.public_hosts[0].addresses[0])
    times = [
        float(time)
        for node in PEERS
        for time in re.findall(
            r"time=([\d.]+)", lab.run(node, ["ping", "-c", "10", "-i", "0.02", server]).stdout
        )
    ]
    if not times:
        raise ProcessFailed("ping", expected=f"answers from {SERVER}", got="none")
    return statistics.median(times) / 1000
