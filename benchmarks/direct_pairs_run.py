"""Calls between all pairs of NATs that plain checks connect, again and again, with and without loss."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.contest import module_command
from benchmarks.contestant import Role
from benchmarks.discovery_run import PORT, RTT, start_server
from natcore.nat import Outcome, expected_outcome
from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import PROFILES, NatProfile, profile
from netlab.topology.scenes import PEERS, SERVER_ADDRESSES, two_nats

WAVE = 10
"""Calls at once, each from a socket of its own to a socket of its own. The NATs then forget everything."""

PORTS_A_CALL = 48
"""External ports that a node may take, measuring its NAT included; so many programs at once leave none over
for a call where a NAT has few."""

WAVE_TIMEOUT = 200.0
"""Seconds; preparing thrice, meeting and a call that fails take less."""

SPARE_WAVES = 5
"""For calls that could not be prepared."""

REFLECTION_RATE = "1000"
"""All nodes of a side measure their NAT at once and again, from one address; the server must let them."""

LOSSES = (0.0, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a call is made through.

    Attributes:
        caller: profile of the caller's NAT.
        callee: profile of the callee's.
        loss: the probability of losing a packet on the core.
    """

    caller: str
    callee: str
    loss: float

    @property
    def pair(self) -> str:
        """The two profiles, the caller's first."""
        return f"{self.caller} x {self.callee}"

    def __str__(self) -> str:
        return f"{self.pair}, {self.loss:.0%} loss" if self.loss else self.pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that was made.

    Attributes:
        setting: through what.
        seconds: from the decision to connect to a confirmed path; None where it failed.
        technique: by which the two met.
        failure: why not; empty where it did not fail.
        why: what both sides say of a call that failed.
    """

    setting: Setting
    seconds: float | None = None
    technique: str = ""
    failure: str = ""
    why: tuple[str, ...] = ()

    def to_line(self) -> str:
        """For a file that a later run goes on with."""
        return json.dumps(asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Call:
        """What :meth:`to_line` wrote."""
        values: dict[str, Any] = json.loads(line)
        return cls(**{**values, "setting": Setting(**values["setting"]), "why": tuple(values["why"])})


def direct_pairs(profiles: Iterable[NatProfile] = tuple(PROFILES.values())) -> list[tuple[str, str]]:
    """All ordered pairs that are expected to meet by plain checks, whatever the timing."""
    known = list(profiles)
    return [
        (caller.name, callee.name)
        for caller in known
        for callee in known
        if expected_outcome(caller.seen, callee.seen) is Outcome.DIRECT
    ]


class Record:
    """All calls, in memory and, where a file is given, on disk; what is there already counts."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        lines = file.read_text(encoding="utf-8").splitlines() if file is not None and file.exists() else []
        self.calls = [Call.from_line(line) for line in lines]

    def made(self) -> Mapping[Setting, int]:
        """How many calls there are of each setting."""
        return Counter(call.setting for call in self.calls)

    def add(self, calls: Sequence[Call]) -> None:
        """Takes further calls."""
        with self._lock:
            self.calls += calls
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as out:
                    out.writelines(f"{call.to_line()}\n" for call in calls)


def make_calls(
    settings: Sequence[Setting], samples: int, record: Record, *, jobs: int, stop_at: float | None = None
) -> None:
    """Makes the calls that are missing, some labs at a time; no new wave begins after ``stop_at``.

    Args:
        settings: which, in this order.
        samples: calls of each.
        record: gets every call as soon as it was made.
        jobs: labs at a time.
        stop_at: an instant of the monotonic clock.

    Raises:
        LabError: a lab could not be built, or a program in it broke down.
        RuntimeError: too few calls could be prepared behind some pair.
    """
    missing = {setting: samples - record.made().get(setting, 0) for setting in settings}
    pool = ThreadPoolExecutor(jobs)
    try:
        pending = [
            pool.submit(_call_through, setting, count, record, stop_at)
            for setting, count in missing.items()
            if count > 0
        ]
        for future in pending:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _call_through(setting: Setting, count: int, record: Record, stop_at: float | None) -> None:
    if _is_over(stop_at):
        return
    made = failed = 0
    nats = (profile(setting.caller), profile(setting.callee))
    largest = min(_wave_size(nat) for nat in nats)
    with (
        TemporaryDirectory(prefix="direct-pairs-") as folder,
        Lab(two_nats(*nats, rtt=RTT, loss=setting.loss), artefacts=Path(folder)) as lab,
    ):
        sides = _start(lab)
        for wave in range(count // largest + 1 + SPARE_WAVES):
            if made >= count or _is_over(stop_at):
                break
            size = min(largest, count - made)
            calls = list(_wave(sides, setting, first=wave * largest, size=size))
            record.add(calls)
            made += len(calls)
            failed += sum(bool(call.failure) for call in calls)
            for nat in lab.topology.nats:
                lab.events.forget(nat.name)
    if made < count and not _is_over(stop_at):
        raise RuntimeError(f"{setting}: got {made} calls that could be prepared, expected {count}")
    print(f"{setting}: {made - failed} of {made} connected", file=sys.stderr)


def _wave_size(nat: NatProfile) -> int:
    pool = nat.seen.port_pool
    return WAVE if pool is None else min(WAVE, pool // PORTS_A_CALL)


def _start(lab: Lab) -> Mapping[Role, NodeProcess]:
    start_server(lab, "--reflection-rate", REFLECTION_RATE)
    where = f"{SERVER_ADDRESSES[0]}:{PORT}"
    return {
        role: lab.start(node, module_command("benchmarks.many_calls", role, where), label=role)
        for node, role in zip(PEERS, Role, strict=True)
    }


def _wave(sides: Mapping[Role, NodeProcess], setting: Setting, *, first: int, size: int) -> Iterator[Call]:
    """Some calls at once; those that could not be prepared are left out."""
    for process in sides.values():
        process.write_line(f"{first} {size}")
    told = {
        role: json.loads(process.wait_for_line(r"^\[", timeout=WAVE_TIMEOUT))
        for role, process in sides.items()
    }
    for caller, callee in zip(told[Role.CALLER], told[Role.CALLEE], strict=True):
        failures = [
            f"{role}: {one['failed']}"
            for role, one in ((Role.CALLER, caller), (Role.CALLEE, callee))
            if "failed" in one
        ]
        if not failures and ("unprepared" in caller or "unprepared" in callee):
            print(f"{setting}: not made: {caller} {callee}", file=sys.stderr)
            continue
        if not failures and (caller["local"], caller["remote"]) != (callee["remote"], callee["local"]):
            failures = [f"the two ends do not match: caller {caller}, callee {callee}"]
        if failures:
            why = (*caller.get("why", ()), "-- callee:", *callee.get("why", ()))
            yield Call(setting=setting, failure="; ".join(failures), why=why)
        else:
            yield Call(setting=setting, seconds=caller["seconds"], technique=caller["technique"])


def _is_over(stop_at: float | None) -> bool:
    return stop_at is not None and time.monotonic() >= stop_at
