"""The delay line is as long as was asked for."""

from __future__ import annotations

import re
from statistics import median

import pytest

from netlab.lab import Lab
from netlab.profiles import profile
from netlab.scenes import two_nats

pytestmark = pytest.mark.lab

SERVER, ELSA_PUBLIC = "198.51.100.10", "203.0.113.7"


def ping(lab: Lab, node: str, address: str) -> list[float]:
    """Milliseconds of each round trip."""
    done = lab.run(node, ["ping", "-c", "25", "-i", "0.02", "-W", "2", address])
    return [float(time) for time in re.findall(r"time=([\d.]+)", done.stdout)]


@pytest.mark.parametrize("rtt", [0.040, 0.150])
def test_a_round_trip_takes_as_long_as_was_asked_for_on_every_path(rtt: float) -> None:
    with Lab(two_nats(profile("port-restricted"), profile("open"), rtt=rtt)) as lab:
        for node, address in (("elsa", SERVER), ("anna", SERVER), ("server", "203.0.113.33")):
            times = ping(lab, node, address)
            assert len(times) == 25, f"{25 - len(times)} pings from {node} were lost"
            assert rtt * 1000 <= median(times) <= rtt * 1000 + 4, f"{node}: {sorted(times)}"


def test_without_a_distance_a_round_trip_takes_no_time_to_speak_of() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("open"))) as lab:
        assert median(ping(lab, "elsa", SERVER)) < 4


def test_the_delay_line_costs_no_hop() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("open"), rtt=0.01)) as lab:
        assert (
            "ttl=62" in lab.run("elsa", ["ping", "-c", "1", SERVER]).stdout
        )  # 64, less the core, less the NAT


def test_what_is_lost_is_what_was_asked_for() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("open"), loss=0.3)) as lab:
        done = lab.run("elsa", ["ping", "-c", "300", "-i", "0.002", "-W", "0.2", "-q", SERVER])
    lost = float(re.findall(r"([\d.]+)% packet loss", done.stdout)[0])
    assert (
        35 < lost < 67
    )  # two ways at 30 % each lose 51 %; the bounds are over five standard deviations away


def test_traffic_stops_when_the_delay_line_dies() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("open"), rtt=0.01)) as lab:
        for process in lab.state.processes:
            process.kill()
        assert lab.run("elsa", ["ping", "-c", "2", "-i", "0.1", "-W", "0.2", SERVER]).returncode != 0
