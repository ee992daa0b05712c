"""``peer check`` behind every NAT of the lab, under three conditions; and natdiscovery beside it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import NatProfile
from netlab.topology.scenes import SERVER, SERVER_ADDRESSES, two_nats

RTT = 0.040
"""Seconds on every path."""

PORT = "443"
"""Of the server: one to which a corporate firewall lets TCP out."""

PARALLEL_LABS = 4

LOSS = 0.05

BACKGROUND = 20.0
"""New mappings a second that another device in the home opens."""

NATDISCOVERY_TIMEOUT = 60.0

_ELSA = "elsa"


class Condition(Enum):
    """What makes it hard."""

    QUIET = "quiet"
    LOSS = "5 % loss"
    BACKGROUND = "20 new mappings a second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One profile under one condition.

    Attributes:
        profile: which.
        condition: under what.
        report: what ``peer check --json`` printed.
    """

    profile: NatProfile
    condition: Condition
    report: dict[str, Any]

    @property
    def seconds(self) -> float:
        """From the first packet to the report, as the check itself says."""
        return float(self.report["ipv4"]["elapsed"])


def examine_all(profiles: Sequence[NatProfile], conditions: Sequence[Condition]) -> list[Examination]:
    """Every profile under every condition, some labs at a time."""
    with ThreadPoolExecutor(PARALLEL_LABS) as pool:
        runs = [pool.submit(examine, profile, one) for one in conditions for profile in profiles]
        return [run.result() for run in runs]


def examine(profile: NatProfile, condition: Condition) -> Examination:
    """One profile under one condition, in a lab of its own."""
    with _scene(profile, condition) as lab:
        arguments = ("--server", f"{SERVER_ADDRESSES[0]}:{PORT}", "--no-gateway", "--json")
        done = lab.run(_ELSA, ["peer", "check", *arguments])
    if done.returncode != 0:
        raise RuntimeError(f"peer check behind {profile.name}: {done.returncode}, {done.stderr}")
    return Examination(profile=profile, condition=condition, report=json.loads(done.stdout))


def time_natdiscovery(profile: NatProfile) -> float:
    """Seconds that coturn's natdiscovery takes for mapping and filtering behind a quiet NAT."""
    with _scene(profile, Condition.QUIET) as lab:
        began_at = time.monotonic()
        for question in ("-m", "-f"):
            command = ["turnutils_natdiscovery", question, "-p", PORT, str(SERVER_ADDRESSES[0])]
            lab.run(_ELSA, command, timeout=NATDISCOVERY_TIMEOUT)
        return time.monotonic() - began_at


@contextmanager
def _scene(profile: NatProfile, condition: Condition) -> Iterator[Lab]:
    loss = LOSS if condition is Condition.LOSS else 0.0
    with TemporaryDirectory(prefix="discovery-") as folder:
        topology = two_nats(profile, profile, rtt=RTT, loss=loss)
        with Lab(topology, artefacts=Path(folder), prove=False) as lab, _background(lab, condition):
            start_server(lab)
            yield lab


def start_server(lab: Lab, *options: str) -> NodeProcess:
    """A rendezvous server with two addresses and two ports."""
    here, there = map(str, SERVER_ADDRESSES)
    arguments = ("--host", here, "--port", PORT, "--alternate-ip", there, *options)
    server = lab.start(SERVER, ["rendezvous", *arguments])
    server.wait_for_line("behaviour discovery")
    return server


@contextmanager
def _background(lab: Lab, condition: Condition) -> Iterator[None]:
    home = f"nat-{_ELSA}"
    if condition is not Condition.BACKGROUND or home not in lab.topology.node_names:
        yield
        return
    traffic = lab.events.background_traffic(home, BACKGROUND)
    try:
        yield
    finally:
        traffic.stop()


def natdiscovery_is_there() -> bool:
    """Whether the peer program is installed."""
    try:
        subprocess.run(["turnutils_natdiscovery", "-h"], capture_output=True, check=False, timeout=5)
    except FileNotFoundError:
        return False
    return True
