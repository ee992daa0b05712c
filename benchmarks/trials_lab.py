"""The same calls in the lab: each pair once, on record, and whether the simulation comes to the same.

They agree on a pair when what came of it in the lab (exit code and technique) is among what came of it in
``SEEDS`` trials under the lab's circumstances. Where a NAT remaps, timing says what becomes of a pair and one
call says little: of these the shares that met are shown, and not judged. They agree on time when the medians
of all calls by one technique are as near each other as ``TOLERANCES`` says.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.discovery_run import PORT, RTT, start_server
from benchmarks.trials_run import Pair, run_all
from benchmarks.trials_summary import Results, by_pair
from netlab.cli.report import columns
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.topology.scenes import PEERS, SERVER_ADDRESSES, two_nats
from tests.sim.trial import Circumstances, Promise

PARALLEL_LABS = 3
"""Times are measured, and a machine has few processors."""

TIMEOUT = 15.0
"""Seconds for a call, as a node has by default."""

SEEDS = 8
"""Trials of each pair, under the lab's circumstances."""

AS_IN_LAB = Circumstances(rtt=RTT, hops=1, calls_after=0.5)
"""The core is one router; a call comes when both programs have started."""

TOLERANCES: Mapping[str, tuple[float, float]] = {
    "plain-checks": (0.5 * RTT, 0.0),
    "port-prediction": (1.0 * RTT, 0.25),
    "birthday-probing": (1.0 * RTT, 0.5),
}
"""Seconds, and a share of the simulation's median, by which the lab's may differ. A process is woken some
milliseconds after its packet has come; and the median of forty birthday probings, each as long as luck has
it, is itself uncertain by a quarter."""

_CALLER, _CALLEE = PEERS
_MARGIN = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What ``peer connect`` came to behind one pair in the lab.

    Attributes:
        caller: the profile.
        callee: the other's.
        code: its exit code.
        technique: by which they met, or None.
        seconds: from the order to connect to a path, or None where there was none.
        reason: why there was none, or None.
    """

    caller: str
    callee: str
    code: int
    technique: str | None
    seconds: float | None
    reason: str | None

    @property
    def pair(self) -> Pair:
        """Both names."""
        return self.caller, self.callee


class Recorder:
    """Calls in the lab, those on record and new ones.

    Attributes:
        calls: by pair.
    """

    def __init__(self, path: Path | None) -> None:
        """Reads what is there; ``path`` has one JSON object a line."""
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []
        known = [Call(**json.loads(line)) for line in lines]
        self.calls = {one.pair: one for one in known}

    def record(self, pairs: Sequence[Pair]) -> None:
        """Runs each pair once; what is done is on record at once, so a run that is interrupted can go on."""
        with ThreadPoolExecutor(PARALLEL_LABS) as pool:
            try:
                for call in pool.map(call_in_lab, pairs):
                    self.calls[call.pair] = call
                    print(f"{call.caller} x {call.callee}: {call.technique or call.reason}", file=sys.stderr)
                    if self._path is not None:
                        with self._path.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(asdict(call)) + "\n")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def call_in_lab(pair: Pair) -> Call:
    """One call, in a lab of its own."""
    caller, callee = map(profile, pair)
    with (
        TemporaryDirectory(prefix="trials-") as folder,
        Lab(two_nats(caller, callee, rtt=RTT), artefacts=Path(folder), prove=False) as lab,
    ):
        server = start_server(lab)
        options = ("--server", f"{SERVER_ADDRESSES[0]}:{PORT}", "--no-port-mapping", "--json")
        lab.start(_CALLEE, ["peer", "listen", "--id", _CALLEE, *options])
        server.wait_for_line(f"{_CALLEE} {'Asleep' if callee.seen.udp_blocked else 'Awake'}")
        order = ("connect", _CALLEE, "--id", _CALLER, "--timeout", f"{TIMEOUT:g}", "--message", "hello")
        done = lab.run(_CALLER, ["peer", *order, *options], timeout=TIMEOUT + _MARGIN)
    if not done.stdout.strip():
        raise RuntimeError(f"peer connect: got no report, exit code {done.returncode}, {done.stderr}")
    report = json.loads(done.stdout)
    return Call(
        caller=caller.name,
        callee=callee.name,
        code=done.returncode,
        technique=report["technique"],
        seconds=report["elapsed"],
        reason=report["reason"],
    )


def simulate(pairs: Sequence[Pair]) -> Results:
    """``SEEDS`` trials of each, as in the lab."""
    return run_all([(pair, seed, AS_IN_LAB) for pair in pairs for seed in range(SEEDS)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Medians:
    """Of the calls by one technique that met, in seconds.

    Attributes:
        technique: which.
        calls: in the lab, how many.
        lab: their median.
        simulation: the trials'.
    """

    technique: str
    calls: int
    lab: float
    simulation: float

    @property
    def tolerance(self) -> float:
        """By how much they may differ, in seconds."""
        seconds, share = TOLERANCES[self.technique]
        return seconds + share * self.simulation

    @property
    def agree(self) -> bool:
        """Whether they do."""
        return abs(self.lab - self.simulation) <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The lab beside the simulation.

    Attributes:
        pairs: how many.
        disputed: a line for each pair on which they disagree.
        open_to_timing: pairs that go either way.
        open_met: the share of these that met in the lab, and in the simulation.
        medians: by technique.
    """

    pairs: int
    disputed: tuple[str, ...]
    open_to_timing: int
    open_met: tuple[float, float]
    medians: tuple[Medians, ...]

    @property
    def amiss(self) -> bool:
        """Whether they disagree on anything."""
        return bool(self.disputed) or not all(one.agree for one in self.medians)

    def to_object(self) -> dict[str, Any]:
        """As JSON has it; times are in seconds."""
        return {
            "pairs": self.pairs,
            "disputed": list(self.disputed),
            "open_to_timing": {
                "pairs": self.open_to_timing,
                "lab": round(self.open_met[0], 3),
                "simulation": round(self.open_met[1], 3),
            },
            "medians": [
                {**asdict(one), "tolerance": round(one.tolerance, 4), "agree": one.agree}
                for one in self.medians
            ],
        }

    def to_text(self) -> str:
        """For people."""
        rows: list[tuple[str, ...]] = [("technique", "calls", "lab", "simulation", "may differ by", "")]
        for one in self.medians:
            numbers = (f"{value:.3f} s" for value in (one.lab, one.simulation, one.tolerance))
            rows.append((one.technique, str(one.calls), *numbers, "agree" if one.agree else "DISAGREE"))
        judged = self.pairs - self.open_to_timing
        words = f"\noutcome and technique agree on {judged - len(self.disputed)} of {judged} pairs"
        if self.open_to_timing:
            here, there = self.open_met
            words += (
                f"; of {self.open_to_timing} open to timing {here:.0%} met in the lab, {there:.0%} in trials"
            )
        return "\n".join([*columns(rows), words, *(f"  {line}" for line in self.disputed)])


def compare(calls: Sequence[Call], results: Results) -> Comparison:
    """Pure."""
    trials = by_pair(results)
    open_pairs = {pair for pair, some in trials.items() if some[0][0].promise is Promise.OPEN}
    disputed = [
        line for call in calls if call.pair not in open_pairs for line in _dispute(call, trials[call.pair])
    ]
    in_lab: dict[str, list[float]] = defaultdict(list)
    simulated: dict[str, list[float]] = defaultdict(list)
    for call in calls:
        if call.technique is not None and call.seconds is not None:
            in_lab[call.technique].append(call.seconds)
        for _, ending in trials[call.pair]:
            if ending.technique is not None:
                simulated[ending.technique].append(ending.seconds)
    open_calls = [call.code == 0 for call in calls if call.pair in open_pairs]
    open_trials = [one.is_direct for pair in open_pairs for _, one in trials[pair]]
    return Comparison(
        pairs=len(calls),
        disputed=tuple(disputed),
        open_to_timing=len(open_calls),
        open_met=(_share(open_calls), _share(open_trials)),
        medians=tuple(
            Medians(
                technique=technique,
                calls=len(in_lab[technique]),
                lab=round(statistics.median(in_lab[technique]), 6),
                simulation=round(statistics.median(simulated[technique]), 6),
            )
            for technique in TOLERANCES
            if in_lab[technique] and simulated[technique]
        ),
    )


def _dispute(call: Call, results: Results) -> list[str]:
    """What the lab and the simulation disagree on; at most one line."""
    endings = [ending for _, ending in results]
    if (call.code, call.technique) in {(int(one.code), one.technique) for one in endings}:
        return []
    here = call.technique or call.reason
    there = ", ".join(sorted({one.technique or one.reason for one in endings}))
    return [f"{call.caller} x {call.callee}: in the lab {here}; in the simulation {there}"]


def _share(told: Sequence[bool]) -> float:
    return statistics.mean(told) if told else 0.0
