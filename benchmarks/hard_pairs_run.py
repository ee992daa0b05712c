"""``peer connect`` behind pairs of NATs that plain checks cannot pass, again and again; aioice beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.discovery_run import PORT, RTT, start_server
from netlab.lab import Lab
from netlab.matrix import programs
from netlab.process import NodeProcess
from netlab.profiles import PROFILES
from netlab.topology.scenes import PEERS, SERVER, SERVER_ADDRESSES, two_nats

PARALLEL_LABS = 2
"""Times are measured, and a machine has few processors."""

ATTEMPTS_A_LAB = 4
"""Then there are new NATs. Within a lab each caller is a new process with a new id, and all sockets but the
callee's first are new ones, so no mapping of an earlier attempt can be of use to a later one."""

TIMEOUT = 10.0
"""Seconds for one attempt, of any program."""

REPORT_TIMEOUT = 5.0
"""Seconds in which the callee tells of an attempt that has succeeded for the caller."""

AIOICE_RELAY_PORT = "8443"

_CALLER, _CALLEE = PEERS
_HERE = str(SERVER_ADDRESSES[0])
_MARGIN = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HardPair:
    """A caller's profile and a callee's.

    Attributes:
        technique: by which they are to meet, as ``peer connect`` names it; None where they cannot.
    """

    caller: str
    callee: str
    technique: str | None

    def __str__(self) -> str:
        return f"{self.caller} x {self.callee}"


PREDICTION, BIRTHDAY = "port-prediction", "birthday-probing"

HARD_PAIRS = (
    HardPair(caller="symmetric", callee="port-restricted", technique=BIRTHDAY),
    HardPair(caller="port-restricted", callee="symmetric", technique=BIRTHDAY),
    HardPair(caller="symmetric-sequential", callee="port-restricted", technique=PREDICTION),
    HardPair(caller="port-restricted", callee="symmetric-sequential", technique=PREDICTION),
    HardPair(caller="symmetric-sequential", callee="symmetric-sequential", technique=PREDICTION),
    HardPair(caller="symmetric", callee="stateful-firewall", technique=BIRTHDAY),
    HardPair(caller="address-dependent", callee="port-restricted", technique=BIRTHDAY),
    HardPair(caller="cgn-symmetric", callee="port-restricted", technique=BIRTHDAY),
    HardPair(caller="symmetric", callee="symmetric", technique=None),
)
"""None of which plain checks can connect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One caller.

    Attributes:
        code: exit code of ``peer connect``.
        caller: what it reported.
        callee: what ``peer listen`` reported of it, or None where that was nothing within ``REPORT_TIMEOUT``.
        seconds: from the order to connect until the path was there, or until it was said that there is none.
    """

    code: int
    caller: dict[str, Any]
    callee: dict[str, Any] | None
    seconds: float

    @property
    def is_direct(self) -> bool:
        """Whether both sides say that they met."""
        return self.caller["outcome"] == "direct" and self.callee is not None


def attempt_all(pairs: Sequence[HardPair], runs: int) -> dict[HardPair, list[Attempt]]:
    """So many attempts of each pair, in new labs again and again."""
    sizes = [min(ATTEMPTS_A_LAB, runs - done) for done in range(0, runs, ATTEMPTS_A_LAB)]
    with ThreadPoolExecutor(PARALLEL_LABS) as pool:
        labs = {pair: [pool.submit(attempt_some, pair, size) for size in sizes] for pair in pairs}
        found: dict[HardPair, list[Attempt]] = {}
        for pair, results in labs.items():
            found[pair] = [one for result in results for one in result.result()]
            direct = sum(one.is_direct for one in found[pair])
            print(f"{pair}: {direct} of {runs} connected", file=sys.stderr)
        return found


def attempt_some(pair: HardPair, count: int) -> list[Attempt]:
    """Some attempts in one lab."""
    with scene(pair) as lab, TemporaryDirectory(prefix="hard-pairs-") as folder:
        callee = start_callee(lab, start_server(lab))
        return [attempt(lab, callee, f"{_CALLER}{number}", Path(folder)) for number in range(count)]


@contextmanager
def scene(pair: HardPair) -> Iterator[Lab]:
    """A lab for one pair, as far apart as all of them; its artefacts are gone afterwards."""
    topology = two_nats(PROFILES[pair.caller], PROFILES[pair.callee], rtt=RTT)
    with (
        TemporaryDirectory(prefix="hard-pairs-") as folder,
        Lab(topology, artefacts=Path(folder), prove=False) as lab,
    ):
        yield lab


def start_callee(lab: Lab, server: NodeProcess) -> NodeProcess:
    """A callee who is Awake."""
    callee = lab.start(_CALLEE, ["peer", "listen", "--id", _CALLEE, *_options()])
    server.wait_for_line(f"{_CALLEE} Awake")
    return callee


def attempt(lab: Lab, callee: NodeProcess, caller_id: str, folder: Path) -> Attempt:
    """One attempt of a new caller."""
    trace = folder / f"{caller_id}.trace"
    options = ("--id", caller_id, *_options(), "--timeout", f"{TIMEOUT:g}", "--message", caller_id)
    command = ["peer", "--trace", str(trace), "connect", _CALLEE, *options]
    done = lab.run(_CALLER, command, timeout=TIMEOUT + _MARGIN)
    if not done.stdout.strip():
        raise RuntimeError(f"peer connect: got no report, exit code {done.returncode}, {done.stderr}")
    report = json.loads(done.stdout)
    is_direct = report["outcome"] == "direct"
    told = callee.wait_for_line(f'"{caller_id}"', timeout=REPORT_TIMEOUT) if is_direct else None
    return Attempt(
        code=done.returncode,
        caller=report,
        callee=None if told is None else json.loads(told),
        seconds=report["elapsed"] if is_direct else _seconds_of(trace),
    )


def _options() -> tuple[str, ...]:
    return ("--server", f"{_HERE}:{PORT}", "--no-port-mapping", "--json")


def _seconds_of(trace: Path) -> float:
    """How long the caller's one session was, from the order to connect to its end."""
    events = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    times: dict[str, float] = {event["event"]: event["time"] for event in events}
    return times["SessionEnded"] - times["SessionStarted"]


def aioice_connects(pair: HardPair) -> bool:
    """Whether aioice connects the same pair in the same time, in a new lab, with both candidates gathered."""
    folder = Path(programs.__file__).parent
    with scene(pair) as lab:
        lab.start(SERVER, ["rendezvous", "--host", _HERE]).wait_for_line("listening")
        relay = [sys.executable, str(folder / "line_relay.py"), AIOICE_RELAY_PORT]
        lab.start(SERVER, relay, label="relay").wait_for_line("READY")
        agent = ["env", f"NETLAB_TIMEOUT={TIMEOUT:g}", sys.executable, str(folder / "aioice_agent.py")]
        where = (_HERE, AIOICE_RELAY_PORT)
        lab.start(_CALLEE, [*agent, "callee", *where], label="aioice").wait_for_line("READY")
        done = lab.run(_CALLER, [*agent, "caller", *where], timeout=TIMEOUT + _MARGIN)
    return bool(json.loads(done.stdout.splitlines()[-1])["outcome"] == "direct")


def aioice_all(pairs: Sequence[HardPair], runs: int) -> dict[HardPair, int]:
    """How often aioice connects each pair."""
    with ThreadPoolExecutor(PARALLEL_LABS) as pool:
        labs = {pair: [pool.submit(aioice_connects, pair) for _ in range(runs)] for pair in pairs}
        return {pair: sum(one.result() for one in results) for pair, results in labs.items()}
