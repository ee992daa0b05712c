"""One program through one pair of NATs, in a lab of its own.

The captures run before the first program does and until the last one has ended. Programs are started in the
order of the contract: servers, callee, caller. What the caller reports is then held against the captures.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from netlab.backend import Backend
from netlab.disk import is_full
from netlab.errors import EnvironmentProblem, LabError, ProcessFailed
from netlab.lab import Lab
from netlab.matrix.artefacts import ArtefactsFull, keep_state, require_space, tidy
from netlab.matrix.claim import BadClaim, Claim, Outcome, find_claim
from netlab.matrix.contract import Command, Contract, filled_in
from netlab.matrix.observation import Observation, observe
from netlab.matrix.results import Pair, Run
from netlab.matrix.scene import SERVERS, Side, sides_of
from netlab.matrix.verdict import FAILURES, Verdict, judge
from netlab.process import NodeProcess
from netlab.topology.scenes import SERVER, two_nats
from netlab.wiring import HOST_INTERFACE, WAN

READY_TIMEOUT = 15.0
"""Seconds until a server or the callee is ready; a Python program takes 0.5 s, and 3 s on a busy machine."""

END_MARGIN = 10.0
"""Seconds by which a caller that gives up by itself is outwaited; starting it is not part of its timeout."""

CALLEE_MARGIN = 3.0
"""Seconds that a callee has to end by itself after a direct path."""

LOOK_INTERVAL = 0.2
"""Seconds between two looks at whether the matrix was cancelled."""

MAX_OUTPUT = 1 << 20
"""Bytes of a program's output that are searched for its report, from the end."""

DISPROVED = "claimed direct, but no datagram passed between the NATs"


class Cancelled(Exception):
    """The matrix ends; what this attempt was doing is of no interest any more."""


class Cancellation:
    """Tells all attempts at once that the matrix ends."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """From any thread."""
        self._event.set()

    def check(self) -> None:
        """Raises :class:`Cancelled` if it is so."""
        if self._event.is_set():
            raise Cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What to try.

    Attributes:
        pair: the NATs.
        contract: the program.
        number: of the run, from 1.
        rtt: seconds over the core.
        loss: probability on the core.
        timeout: seconds that the program may take.
        folder: for the artefacts.
    """

    pair: Pair
    contract: Contract
    number: int
    rtt: float
    loss: float
    timeout: float
    folder: Path

    @property
    def text(self) -> str:
        """For a line about it."""
        return f"{self.contract.name}: {self.pair.a.name} -> {self.pair.b.name}"


@dataclass(slots=True, kw_only=True)
class _Told:
    """What the programs made known.

    Attributes:
        started_at: when the caller was started, in seconds since the epoch.
        caller: its report.
        callee: its report.
        exit_code: the caller's.
        reason: why the caller was not even started.
    """

    started_at: float
    caller: Claim | None = None
    callee: Claim | None = None
    exit_code: int | None = None
    reason: str | None = None


def make(attempt: Attempt, backend: Backend, cancellation: Cancellation) -> Run:
    """Builds the lab, plays, and judges; a lab or a program that breaks down is a broken run.

    Raises:
        Cancelled: the matrix ends.
        EnvironmentProblem: this machine lacks something, so no other attempt would do better.
    """
    cancellation.check()
    began = time.monotonic()
    try:
        run = _make(attempt, backend, cancellation)
    except EnvironmentProblem:
        raise
    except (LabError, OSError, BadClaim) as error:
        cancellation.check()  # then it is the error of a program that was ended on purpose
        if is_full(error):
            raise ArtefactsFull(attempt.folder) from error
        run = Run(verdict=Verdict.BROKEN, seconds=0.0, error=str(error))
    if run.verdict in FAILURES:
        require_space(attempt.folder)
    place = Path(*attempt.folder.parts[-4:])  # artefacts/PROGRAM/A--B/N
    files = tuple(str(place / name) for name in tidy(attempt.folder))
    return replace(run, seconds=time.monotonic() - began, artefacts=files)


def _make(attempt: Attempt, backend: Backend, cancellation: Cancellation) -> Run:
    pair = attempt.pair
    topology = two_nats(pair.a, pair.b, rtt=attempt.rtt, loss=attempt.loss)
    with Lab(topology, backend=backend, artefacts=attempt.folder) as lab:
        sides = sides_of(lab.topology)
        captures = {}
        for side in sides:
            captures[side.host, HOST_INTERFACE] = lab.capture(side.host, HOST_INTERFACE)
            for router in side.routers:
                captures[router, WAN] = lab.capture(router, WAN)
        told, broken = _Told(started_at=time.time()), None
        try:
            _Play(lab, attempt, sides, cancellation, told).perform()
        except (LabError, BadClaim) as error:
            broken = str(error)  # what is there by now is worth keeping most of all here
        cancellation.check()
        keep_state(lab)
        recordings = {place: capture.stop() for place, capture in captures.items()}
    observation = observe(sides, recordings, started_at=told.started_at)
    return _judged(attempt, told, observation, broken)


def _judged(attempt: Attempt, told: _Told, seen: Observation, broken: str | None) -> Run:
    """The run that this comes to; all claims are checked here."""
    outcome, reason, verdict = None, told.reason, Verdict.BROKEN
    if broken is None:
        outcome = told.caller.outcome if told.caller else Outcome.FAILED
        reason = reason or (told.caller.reason if told.caller else None)
        if outcome is Outcome.DIRECT and not seen.is_direct:
            outcome, reason, verdict = Outcome.FAILED, DISPROVED, Verdict.DISPROVED
        else:
            verdict = judge(attempt.pair.expected, outcome)
    return Run(
        verdict=verdict,
        seconds=0.0,
        outcome=outcome,
        reason=reason,
        error=broken,
        exit_code=told.exit_code,
        caller=told.caller,
        callee=told.callee,
        observation=seen,
    )


class _Play:
    """The programs of one attempt."""

    def __init__(
        self,
        lab: Lab,
        attempt: Attempt,
        sides: tuple[Side, Side],
        cancellation: Cancellation,
        told: _Told,
    ) -> None:
        self._lab = lab
        self._attempt = attempt
        self._sides = sides
        self._cancellation = cancellation
        self._told = told

    def perform(self) -> None:
        """Starts everything, waits for the caller's end, and ends the rest."""
        contract = self._attempt.contract
        servers = []
        for number, command in enumerate(contract.servers, 1):
            label = f"{SERVER}-{number}" if len(contract.servers) > 1 else SERVER
            server = self._start(SERVER, "server", command, label=label)
            servers.append(server)
            if command.ready is not None and not self._is_ready(server, self._fill_in(command.ready)):
                raise ProcessFailed(label, expected="to be ready", got=f"silence for {READY_TIMEOUT:g} s")
        caller_side, callee_side = self._sides
        callee = self._start(callee_side.host, "callee", contract.callee, label=f"{callee_side.host}-callee")
        if self._callee_is_ready(callee, servers):
            self._call(callee, label=f"{caller_side.host}-caller")
        callee.stop()
        self._told.callee = _report_of(callee, is_required=False)
        for server in reversed(servers):
            server.stop()

    def _call(self, callee: NodeProcess, *, label: str) -> None:
        attempt, told = self._attempt, self._told
        told.started_at = time.time()
        caller = self._start(self._sides[0].host, "caller", attempt.contract.caller, label=label)
        patience = attempt.timeout + END_MARGIN
        told.exit_code = self._end_of(caller, patience)
        if told.exit_code is None:
            caller.stop()
            raise ProcessFailed(label, expected=f"to end within {patience:g} s", got="it still ran")
        told.caller = _report_of(caller, is_required=True, exit_code=told.exit_code)
        assert told.caller is not None
        is_direct = told.caller.outcome is Outcome.DIRECT
        if is_direct != (told.exit_code in attempt.contract.direct_codes):
            kept = ", ".join(map(str, attempt.contract.direct_codes))
            expected = f"{kept} for a direct path and for nothing else"
            raise ProcessFailed(
                label, expected=expected, got=f"{told.caller.outcome} with exit code {told.exit_code}"
            )
        if is_direct and attempt.contract.callee.ends:
            self._end_of(callee, CALLEE_MARGIN)

    def _callee_is_ready(self, callee: NodeProcess, servers: Sequence[NodeProcess]) -> bool:
        """Whether the caller may start. A callee that finds no server, and says so, has failed properly."""
        command = self._attempt.contract.callee
        if command.ready is None:
            return True
        speaker = servers[0] if command.ready_on == "server" and servers else callee
        if self._is_ready(speaker, self._fill_in(command.ready), callee=callee):
            return True
        if callee.id is not None:
            self._told.reason = f"the callee was not ready within {READY_TIMEOUT:g} s"
            return False
        report = _report_of(callee, is_required=True, exit_code=callee.wait())
        assert report is not None
        if report.outcome is Outcome.DIRECT:
            raise ProcessFailed(
                callee.label, expected="to wait for a caller", got="a path before there was one"
            )
        self._told.reason = f"the callee ended before it was ready: {report.reason or 'it gives no reason'}"
        return False

    def _is_ready(self, speaker: NodeProcess, pattern: str, *, callee: NodeProcess | None = None) -> bool:
        """Waits until the speaker says so; False if it does not in time, or the callee has ended.

        Raises:
            ProcessFailed: a server ended.
        """
        deadline = time.monotonic() + READY_TIMEOUT
        while True:
            self._cancellation.check()
            has_ended = callee is not None and callee.id is None
            try:
                speaker.wait_for_line(pattern, timeout=LOOK_INTERVAL)
            except ProcessFailed:
                if speaker is not callee and speaker.id is None:
                    raise
                if has_ended or time.monotonic() >= deadline:
                    return False
            else:
                return True

    def _end_of(self, program: NodeProcess, patience: float) -> int | None:
        """Its exit code, or None if it still runs when patience, in seconds, is over."""
        deadline = time.monotonic() + patience
        while True:
            self._cancellation.check()
            try:
                return program.wait(timeout=LOOK_INTERVAL)
            except ProcessFailed:
                if time.monotonic() >= deadline:
                    return None

    def _start(self, node: str, role: str, command: Command, *, label: str) -> NodeProcess:
        values = self._values(node, role)
        argv = [filled_in(argument, values) for argument in command.argv]
        return self._lab.start(node, ["env", *self._environment(values), *argv], label=label)

    def _fill_in(self, pattern: str) -> str:
        values = self._values(self._sides[1].host, "callee")
        return filled_in(pattern, {name: re.escape(value) for name, value in values.items()})

    def _values(self, node: str, role: str) -> dict[str, str]:
        hosts = [side.host for side in self._sides]
        has_own_files = self._lab.backend.name == "docker"
        return {
            "role": role,
            "server": SERVERS[0],
            "server2": SERVERS[1],
            "id": node,
            "peer": next((host for host in hosts if host != node), "") if role != "server" else "",
            "timeout": f"{self._attempt.timeout:g}",
            "rtt": f"{self._attempt.rtt:g}",
            **self._attempt.contract.places,
            **({"python": "python3"} if has_own_files else {}),
            "artefacts": "/tmp" if has_own_files else str(self._lab.artefacts.resolve()),
        }

    def _environment(self, values: dict[str, str]) -> list[str]:
        """Assignments for env(1), which a node of any kind has."""
        given = ("role", "server", "server2", "id", "peer", "timeout", "rtt", "artefacts")
        variables = [f"NETLAB_{name.upper()}={values[name]}" for name in given]
        if self._lab.backend.name == "docker":
            return variables  # the image's PATH has the toolkit first
        path = os.environ.get("PATH", os.defpath)
        return [*variables, f"PATH={Path(sys.executable).parent}{os.pathsep}{path}", "PYTHONUNBUFFERED=1"]


def _report_of(program: NodeProcess, *, is_required: bool, exit_code: int | None = None) -> Claim | None:
    with program.stdout.open("rb") as stream:
        stream.seek(max(0, program.stdout.stat().st_size - MAX_OUTPUT))
        lines = stream.read(MAX_OUTPUT).decode(errors="replace").splitlines()
    try:
        claim = find_claim(lines)
    except BadClaim as error:
        if not is_required:
            return None
        raise ProcessFailed(program.label, expected="a report", got=f"one with {error}") from None
    if claim is None and is_required:
        said = program.stderr.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        ended = "" if exit_code is None else f", exit code {exit_code}"
        last = f" ({said[-1][:300]})" if said else ""
        raise ProcessFailed(
            program.label, expected="a report as its last JSON line", got=f"none{ended}{last}"
        )
    return claim
