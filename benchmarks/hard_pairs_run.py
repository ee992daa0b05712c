"""``peer connect`` behind pairs of NATs that plain checks cannot pass, again and again; aioice beside it."""

from __future__ import annotations

import json
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.discovery_run import BACKGROUND, PORT, RTT, start_server
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

MAX_REFUSAL = 3.0
"""Seconds until a pair that cannot meet has been told so."""

AIOICE_RELAY_PORT = "8443"

_CALLER, _CALLEE = PEERS
_HERE = str(SERVER_ADDRESSES[0])
_MARGIN = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a pair is to reach.

    Attributes:
        connected: of 100 attempts, so many meet at least, or at most where none is to.
        seconds: by percentile of all attempts, at most.
    """

    connected: int
    seconds: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardPair:
    """A caller's profile and a callee's.

    Attributes:
        technique: by which they are to meet, as ``peer connect`` names it; None where they cannot.
        background: new mappings a second that another device opens behind each NAT.
        target: what is to be reached, or None where nobody asked for a number.
    """

    caller: str
    callee: str
    technique: str | None
    background: float = 0.0
    target: Target | None = field(default=None, compare=False)

    def __str__(self) -> str:
        others = f", {self.background:g} new mappings a second on each" if self.background else ""
        return f"{self.caller} x {self.callee}{others}"


PREDICTION, BIRTHDAY = "port-prediction", "birthday-probing"

_BIRTHDAY_TARGET = Target(connected=99, seconds={50: 1.5, 99: 8.0})
_PREDICTION_TARGET = Target(connected=99, seconds={50: 3 * RTT})

_EASY, _RANDOM, _SEQUENTIAL = "port-restricted", "symmetric", "symmetric-sequential"

HARD_PAIRS = (
    HardPair(caller=_RANDOM, callee=_EASY, technique=BIRTHDAY, target=_BIRTHDAY_TARGET),
    HardPair(caller=_EASY, callee=_RANDOM, technique=BIRTHDAY, target=_BIRTHDAY_TARGET),
    HardPair(caller=_SEQUENTIAL, callee=_EASY, technique=PREDICTION, target=_PREDICTION_TARGET),
    HardPair(caller=_EASY, callee=_SEQUENTIAL, technique=PREDICTION, target=_PREDICTION_TARGET),
    HardPair(caller=_SEQUENTIAL, callee=_SEQUENTIAL, technique=PREDICTION, target=Target(connected=95)),
    HardPair(
        caller=_SEQUENTIAL,
        callee=_SEQUENTIAL,
        technique=PREDICTION,
        background=BACKGROUND,
        target=Target(connected=80),
    ),
    HardPair(caller=_RANDOM, callee="stateful-firewall", technique=BIRTHDAY),
    HardPair(caller="address-dependent", callee=_EASY, technique=BIRTHDAY),
    HardPair(caller="cgn-symmetric", callee=_EASY, technique=BIRTHDAY),
    HardPair(
        caller=_RANDOM, callee=_RANDOM, technique=None, target=Target(connected=0, seconds={99: MAX_REFUSAL})
    ),
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
        busiest: packets of one side in its busiest second.
    """

    code: int
    caller: dict[str, Any]
    callee: dict[str, Any] | None
    seconds: float
    busiest: int = 0

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
        callee = start_callee(lab, start_server(lab), Path(folder))
        return [attempt(lab, callee, f"{_CALLER}{number}", Path(folder)) for number in range(count)]


@contextmanager
def scene(pair: HardPair) -> Iterator[Lab]:
    """A lab for one pair, as far apart as all of them; its artefacts are gone afterwards."""
    topology = two_nats(PROFILES[pair.caller], PROFILES[pair.callee], rtt=RTT)
    with (
        TemporaryDirectory(prefix="hard-pairs-") as folder,
        Lab(topology, artefacts=Path(folder), prove=False) as lab,
        ExitStack() as others,
    ):
        for peer in PEERS if pair.background else ():
            others.callback(lab.events.background_traffic(f"nat-{peer}", pair.background).stop)
        yield lab


def start_callee(lab: Lab, server: NodeProcess, folder: Path) -> NodeProcess:
    """A callee who is Awake."""
    command = ["peer", "--trace", str(_trace_of(_CALLEE, folder)), "listen", "--id", _CALLEE, *_options()]
    callee = lab.start(_CALLEE, command)
    server.wait_for_line(f"{_CALLEE} Awake")
    return callee


def attempt(lab: Lab, callee: NodeProcess, caller_id: str, folder: Path) -> Attempt:
    """One attempt of a new caller."""
    trace = _trace_of(caller_id, folder)
    seen = len(_events_of(_trace_of(_CALLEE, folder)))
    options = ("--id", caller_id, *_options(), "--timeout", f"{TIMEOUT:g}", "--message", caller_id)
    command = ["peer", "--trace", str(trace), "connect", _CALLEE, *options]
    done = lab.run(_CALLER, command, timeout=TIMEOUT + _MARGIN)
    if not done.stdout.strip():
        raise RuntimeError(f"peer connect: got no report, exit code {done.returncode}, {done.stderr}")
    report = json.loads(done.stdout)
    is_direct = report["outcome"] == "direct"
    told = callee.wait_for_line(f'"{caller_id}"', timeout=REPORT_TIMEOUT) if is_direct else None
    events, answers = _events_of(trace), _events_of(_trace_of(_CALLEE, folder))[seen:]
    return Attempt(
        code=done.returncode,
        caller=report,
        callee=None if told is None else json.loads(told),
        seconds=report["elapsed"] if is_direct else _seconds_of(events),
        busiest=max(busiest_second(events), busiest_second(answers)),
    )


def busiest_second(events: Sequence[Mapping[str, Any]]) -> int:
    """Packets that left in the fullest second of a trace, whatever they were for."""
    times = [event["time"] for event in events if event["event"] == "sent"]
    return max((bisect_left(times, at + 1.0) - index for index, at in enumerate(times)), default=0)


def _trace_of(client_id: str, folder: Path) -> Path:
    return folder / f"{client_id}.trace"


def _events_of(trace: Path) -> list[dict[str, Any]]:
    """All of a trace, but for a last line that is still being written."""
    lines = trace.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _options() -> tuple[str, ...]:
    return ("--server", f"{_HERE}:{PORT}", "--no-port-mapping", "--json")


def _seconds_of(events: Sequence[Mapping[str, Any]]) -> float:
    """How long the caller's one session was, from the order to connect to its end."""
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
