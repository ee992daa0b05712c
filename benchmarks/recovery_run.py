"""A NAT reboots, or takes another address, under open channels: who notices when, and when data are back."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.contest import module_command
from benchmarks.contestant import Role
from benchmarks.discovery_run import PORT, RTT, start_server
from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import profile
from netlab.topology.scenes import PEERS, SERVER_ADDRESSES, two_nats

PARALLEL_LABS = 2
"""Times are measured, and a machine has few processors."""

CHANNELS = 5
"""That break at once; each is a sample, with consent checks at instants of its own."""

PAIRS = (
    ("port-restricted", "port-restricted"),
    ("non-preserving-cone", "port-restricted"),
    ("symmetric", "address-restricted"),
    ("full-cone", "symmetric"),
)
"""The first one's NAT breaks."""

NOTICED_IDLE = 6.0
NOTICED_SENDING = 1.0
BACK_AFTER_NOTICE = 3.0
"""Seconds; what is to be reached."""

OLDEST = 9.0
"""Seconds that a channel has lived at most when its network breaks; consent checks are 3.2 to 4.8 s apart."""

PATIENCE_IDLE = 8.0
PATIENCE_SENDING = 8.0
"""Seconds until data must flow, well beyond what is to be reached."""

ANSWER_MARGIN = 25.0
"""Seconds by which we outwait a program."""

_NEAR = f"nat-{PEERS[0]}"


class Break(Enum):
    """What happens to the NAT."""

    REBOOT = "reboot"
    ADDRESS = "address change"


class Use(Enum):
    """What the channel is used for at that time; near is the side behind the NAT that breaks."""

    IDLE = "idle"
    NEAR = "near side sends"
    FAR = "far side sends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is broken, and how."""

    pair: tuple[str, str]
    event: Break
    use: Use

    def __str__(self) -> str:
        return f"{' x '.join(self.pair)}, {self.event.value}, {self.use.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One channel. Times are in seconds.

    Attributes:
        scene: what happened to it.
        noticed: from the break until a side noticed: the one that sends, or in an idle channel the first;
            None where the path went on, or nobody noticed.
        back: from then until it had the first answer to a question; without a notice, from the first
            question that could be answered. None where there was no answer.
        ended: why the channel has ended, empty where it has not.
        why: both sides' timelines, where no answer came.
    """

    scene: Scene
    noticed: float | None
    back: float | None
    ended: str = ""
    why: tuple[str, ...] = ()


def break_all(scenes: Sequence[Scene], rounds: int, *, seed: int = 0) -> list[Sample]:
    """So many rounds of each scene, in a lab for each pair.

    Raises:
        LabError: a lab could not be built, or a program in it broke down.
    """
    by_pair: dict[tuple[str, str], list[Scene]] = {}
    for scene in scenes:
        by_pair.setdefault(scene.pair, []).append(scene)
    pool = ThreadPoolExecutor(PARALLEL_LABS)
    try:
        runs = [
            pool.submit(_break_some, some, rounds, Random(f"{seed} {pair}")) for pair, some in by_pair.items()
        ]
        return [sample for run in runs for sample in run.result()]
    finally:
        pool.shutdown(cancel_futures=True)


def _break_some(scenes: Sequence[Scene], rounds: int, random: Random) -> list[Sample]:
    near, far = scenes[0].pair
    samples: list[Sample] = []
    with (
        TemporaryDirectory(prefix="recovery-") as folder,
        Lab(two_nats(profile(near), profile(far), rtt=RTT), artefacts=Path(folder)) as lab,
    ):
        crew = _Crew(lab)
        for number in range(rounds):
            for scene in scenes:
                samples += crew.play(scene, age=random.uniform(1.0, OLDEST))
                print(f"{scene}: round {number + 1} of {rounds}", file=sys.stderr)
    return samples


class _Crew:
    """The two programs in one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        start_server(lab)
        where = f"{SERVER_ADDRESSES[0]}:{PORT}"
        self._sides = {
            role: lab.start(node, module_command("benchmarks.open_channels", role, where), label=role)
            for node, role in zip(PEERS, Role, strict=True)
        }
        self._rounds = 0
        self._addresses = (IPv4Address("203.0.113.100") + number for number in range(100))

    def play(self, scene: Scene, *, age: float) -> list[Sample]:
        """One round: channels that live for ``age`` seconds, and then the break."""
        self._rounds += 1
        self._order(f"open {self._rounds} {CHANNELS}")
        senders = _SENDERS[scene.use]
        if senders:
            self._order("send", senders)
        time.sleep(age)
        began_at = time.monotonic()
        self._events[scene.event]()
        ended_at = time.monotonic()
        if not senders:
            self._order(f"wait {ended_at} {PATIENCE_IDLE}")
            self._order("send")
        asked_at = time.monotonic()
        self._order(f"wait {ended_at} {PATIENCE_SENDING}", senders or tuple(Role))
        self._order(f"settle {ended_at} {PATIENCE_SENDING}")
        told = self._order(f"close {ended_at}")
        return [
            _sample(scene, began_at, asked_at, dict(zip(Role, both, strict=True)))
            for both in zip(told[Role.CALLER], told[Role.CALLEE], strict=True)
        ]

    @property
    def _events(self) -> Mapping[Break, Callable[[], None]]:
        events = self._lab.events
        return {
            Break.REBOOT: lambda: events.reboot(_NEAR),
            Break.ADDRESS: lambda: events.change_address(_NEAR, next(self._addresses)),
        }

    def _order(self, order: str, roles: Sequence[Role] = tuple(Role)) -> Mapping[Role, Any]:
        asked: dict[Role, NodeProcess] = {role: self._sides[role] for role in roles}
        for process in asked.values():
            process.write_line(order)
        patience = ANSWER_MARGIN + PATIENCE_SENDING
        return {
            role: json.loads(process.wait_for_line(r"^[\[{]", timeout=patience))
            for role, process in asked.items()
        }


_SENDERS = {Use.IDLE: (), Use.NEAR: (Role.CALLER,), Use.FAR: (Role.CALLEE,)}


def _sample(scene: Scene, began_at: float, asked_at: float, told: Mapping[Role, dict[str, Any]]) -> Sample:
    """What is made of both sides' reports of one channel."""
    sides = [told[role] for role in _SENDERS[scene.use] or tuple(Role)]
    ended = next((side["ended"] for side in told.values() if side["ended"]), "")
    noticing = (*sides, *(side for side in told.values() if side not in sides))
    aware = [side for side in noticing if side["doubted_at"] is not None]
    if aware:
        first = min(aware, key=lambda side: float(side["doubted_at"]))
        noticed, counted_from, answered_at = (
            first["doubted_at"] - began_at,
            first["doubted_at"],
            first["answered_at"],
        )
    else:
        answers = [side["answered_at"] for side in sides if side["answered_at"] is not None]
        noticed, counted_from, answered_at = None, asked_at, min(answers, default=None)
    why = [f"{role}: {line}" for role, side in told.items() for line in side["timeline"]]
    return Sample(
        scene=scene,
        noticed=noticed,
        back=None if answered_at is None else max(0.0, answered_at - counted_from),
        ended=ended,
        why=tuple(why) if answered_at is None else (),
    )
