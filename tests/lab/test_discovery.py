"""``peer check`` against the truth: every NAT of the lab, quiet, with losses, and with others behind the NAT.

Nothing may be wrong. What may be unknown is what theory leaves unknown, and where packets get lost or others
open mappings, 2 % of the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.discovery_run import PORT, RTT, Condition, Examination, examine, start_server
from benchmarks.discovery_summary import Cell, cells_of
from netlab.lab import Lab
from netlab.profiles import COMBINATIONS, PROFILES, NatProfile, profile
from netlab.topology.scenes import SERVER, SERVER_ADDRESSES, two_nats

pytestmark = pytest.mark.lab

EVERYTHING = {**PROFILES, **COMBINATIONS}
PARALLEL_LABS = 4
HERE, THERE = map(str, SERVER_ADDRESSES)

Runs = dict[tuple[str, Condition], "Future[Examination]"]


@pytest.fixture(scope="module")
def labs() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(PARALLEL_LABS)
    yield pool
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def runs(labs: ThreadPoolExecutor) -> Runs:
    return {
        (name, condition): labs.submit(examine, known, condition)
        for condition in Condition
        for name, known in EVERYTHING.items()
    }


def cells(runs: Runs, condition: Condition, names: Sequence[str] = tuple(EVERYTHING)) -> list[Cell]:
    return cells_of([runs[name, condition].result() for name in names])


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_check_behind_a_quiet_nat_says_all_that_there_is_to_know(name: str, runs: Runs) -> None:
    found = cells(runs, Condition.QUIET, [name])
    assert [str(cell) for cell in found if cell.is_wrong or cell.is_unknown] == []


@pytest.mark.parametrize(
    "condition", [Condition.LOSS, Condition.BACKGROUND], ids=lambda one: one.name.lower()
)
def test_nothing_is_wrong_and_little_unknown(condition: Condition, runs: Runs) -> None:
    found = cells(runs, condition)
    assert [str(cell) for cell in found if cell.is_wrong] == []
    unknown = [str(cell) for cell in found if cell.is_unknown]
    assert len(unknown) <= 0.02 * len(found), unknown


def check(lab: Lab, *options: str, node: str = "elsa", timeout: float = 30.0) -> dict[str, Any]:
    done = lab.run(node, ["peer", "check", "--no-gateway", "--json", *options], timeout=timeout)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


LIFETIMES = {"port-restricted": 3.0, "symmetric": 7.0, "full-cone": 3.0}


def measure_lifetime(name: str, lifetime: float) -> dict[str, Any]:
    known = profile(name)
    known = replace(known, name="own", behavior=replace(known.behavior, mapping_lifetime=lifetime))
    with Lab(two_nats(known, known, rtt=RTT), prove=False) as lab:
        start_server(lab)
        options = ("--server", f"{HERE}:{PORT}", "--lifetime", "--max-lifetime", "20")
        found: dict[str, Any] = check(lab, *options, timeout=60)["ipv4"]["mapping_lifetime"]
        return found


@pytest.fixture(scope="module")
def lifetimes() -> Iterator[dict[str, Future[dict[str, Any]]]]:
    with ThreadPoolExecutor(len(LIFETIMES)) as pool:
        yield {name: pool.submit(measure_lifetime, name, lifetime) for name, lifetime in LIFETIMES.items()}


@pytest.mark.parametrize("name", LIFETIMES)
def test_the_lifetime_of_a_mapping_is_found_by_sections(
    name: str, lifetimes: dict[str, Future[dict[str, Any]]]
) -> None:
    found, lifetime = lifetimes[name].result(), LIFETIMES[name]
    assert found["value"]["at_least"] <= lifetime + RTT, found
    # The kernel's timers are late by up to a second or two.
    assert lifetime - RTT <= found["value"]["at_most"] <= lifetime + 2.0, found


def test_two_servers_with_one_address_each_show_the_mapping_and_the_strictest_filter() -> None:
    symmetric, cone = profile("symmetric"), profile("port-restricted")
    with Lab(two_nats(symmetric, cone, rtt=RTT), prove=False) as lab:
        for address in (HERE, THERE):
            server = lab.start(SERVER, ["rendezvous", "--host", address, "--port", PORT])
            server.wait_for_line("listening")
        servers = ("--server", f"stun:{HERE}:{PORT}", "--server", f"{THERE}:{PORT}")
        elsa = check(lab, *servers)["ipv4"]
        anna = check(lab, *servers, node="anna")["ipv4"]
    assert elsa["mapping"]["value"] == "address-and-port-dependent"
    assert anna["mapping"]["value"] == "endpoint-independent"
    assert elsa["allocation"]["value"]["kind"] == "random"
    for family in (elsa, anna):
        # From another port of the same address nothing came; so no stranger's address would be let in either.
        assert family["filtering"]["value"] == "address-and-port-dependent", family["filtering"]


def test_ipv6_is_checked_beside_ipv4() -> None:
    home = profile("symmetric")
    with Lab(two_nats(home, home, rtt=RTT, dual_stack=True), prove=False) as lab:
        ipv6 = [str(one) for one in lab.topology.hosts[0].addresses if one.version == 6]
        server = lab.start(SERVER, ["rendezvous", "--host", "::", "--port", PORT, "--alternate-ip", ipv6[1]])
        server.wait_for_line("listening")
        report = check(lab, "--server", f"[{ipv6[0]}]:{PORT}", "--server", f"{HERE}:{PORT}")
    assert report["ipv4"]["mapping"]["value"] == "address-and-port-dependent"
    assert report["ipv6"]["translated"]["value"] is False
    assert report["ipv6"]["udp_blocked"]["value"] is False
    assert any("IPv6" in advice for advice in report["advice"]), report["advice"]


def test_the_chat_shows_what_the_nat_does() -> None:
    known: NatProfile = profile("symmetric")
    with Lab(two_nats(known, known, rtt=RTT), prove=False) as lab:
        start_server(lab)
        chat = lab.start("elsa", ["peer", "chat", "--id", "elsa", "--server", f"{HERE}:{PORT}"])
        chat.write_line("@nat")
        verdict = chat.wait_for_line("^your NAT: ")
        row = chat.wait_for_line("symmetric, random ports")
        chat.write_line("@exit")
    assert "strangers" in verdict
    assert "relay" in row
