"""Pairs of NATs that plain checks cannot cross, once one of them forwards a port: with the real miniupnpd.

For each protocol, and each pair, anna's router is the daemon's and her peer asks it; elsa calls her. The
control is the same scene without the daemon. Then what happens to the mapping: it is renewed, made anew when
the daemon has restarted, and gone when she has left.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import PROFILES
from tests.lab.miniupnpd import (
    PUBLIC_ADDRESSES,
    GatewayOptions,
    forget_rules,
    forwarded,
    public_nats,
    restart_gateway,
    start_gateway,
)
from tests.lab.requirements import stop_for_want_of
from tests.lab.traces import wait_until

pytestmark = pytest.mark.lab

SERVER = "198.51.100.10"
ROUTER = "nat-anna"
PUBLIC = str(PUBLIC_ADDRESSES[ROUTER])
PARALLEL_LABS = 4
PEER = str(Path(sys.executable).with_name("peer"))

GATEWAYS = {
    "pcp": ("pcp", GatewayOptions(upnp=False)),
    "nat-pmp": ("nat-pmp", GatewayOptions(upnp=False)),
    "upnp-1": ("upnp", GatewayOptions(natpmp=False, version_1=True)),
    "upnp-2": ("upnp", GatewayOptions(natpmp=False)),
    "everything": ("auto", GatewayOptions()),
    "nothing": ("auto", None),
}
"""What anna's peer asks by, and what her router's daemon is; the last one is the control."""

PAIRS = [("symmetric", "symmetric"), ("port-restricted", "symmetric"), ("symmetric", "port-restricted")]
"""Elsa's NAT and anna's; no plain checks connect them."""

Case = tuple[str, tuple[str, str]]
CASES: list[Case] = list(product(GATEWAYS, PAIRS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What elsa, who calls, and anna reported, and what anna's router forwarded meanwhile and afterwards."""

    elsa: dict[str, Any]
    anna: dict[str, Any] | None
    meanwhile: list[str]
    afterwards: list[str]
    code: int


def start_listening(lab: Lab, *options: str) -> NodeProcess:
    server = lab.start("server", ["rendezvous", "--host", SERVER])
    server.wait_for_line("listening")
    who = ["--id", "anna", "--server", SERVER, "--json"]
    anna = lab.start("anna", ["peer", "--trace", str(trace_of(lab)), "listen", *who, *options])
    server.wait_for_line("anna Awake")
    return anna


def trace_of(lab: Lab) -> Path:
    return lab.artefacts / "anna.trace"


def traced(lab: Lab, event: str) -> list[dict[str, Any]]:
    trace = trace_of(lab)
    lines = trace.read_text(encoding="utf-8").splitlines() if trace.exists() else []
    return [json.loads(line) for line in lines if f'"{event}"' in line]


def call_anna(lab: Lab, *options: str) -> dict[str, Any]:
    who = [
        "--id",
        "elsa",
        "--server",
        SERVER,
        "--message",
        "hello",
        "--json",
    ]  # birthday probing takes seconds
    report: dict[str, Any] = json.loads(lab.run("elsa", ["peer", "connect", "anna", *who, *options]).stdout)
    return report


def meet(gateway: str, pair: tuple[str, str]) -> Meeting:
    protocol, options = GATEWAYS[gateway]
    with Lab(public_nats(*(PROFILES[name] for name in pair))) as lab:
        if options is not None:
            start_gateway(lab, ROUTER, options)
        anna = start_listening(lab, "--port-mapping-protocol", protocol)
        if options is not None:
            assert wait_until(lambda: bool(traced(lab, "PortMapped")))
        elsa = call_anna(lab)
        meanwhile = forwarded(lab, ROUTER)
        told = anna.wait_for_line("^{") if elsa["outcome"] == "direct" else None
        code = anna.stop()
        return Meeting(
            elsa=elsa,
            anna=None if told is None else json.loads(told),
            meanwhile=meanwhile,
            afterwards=forwarded(lab, ROUTER),
            code=code,
        )


@pytest.fixture(scope="module", autouse=True)
def daemon_is_installed() -> None:
    if shutil.which("miniupnpd", path="/usr/sbin:/usr/bin") is None:
        stop_for_want_of("miniupnpd is not installed: try `apt-get install miniupnpd-nftables`")


@pytest.fixture(scope="module")
def meetings(daemon_is_installed: None) -> Iterator[dict[Case, Future[Meeting]]]:
    pool = ThreadPoolExecutor(PARALLEL_LABS)
    yield {case: pool.submit(meet, *case) for case in CASES}
    pool.shutdown(cancel_futures=True)


def name_of(part: object) -> str:
    return " calls ".join(part) if isinstance(part, tuple) else str(part)


@pytest.mark.parametrize(("gateway", "pair"), CASES, ids=name_of)
def test_a_forwarded_port_connects_what_plain_checks_do_not_and_is_closed_at_the_end(
    gateway: str, pair: tuple[str, str], meetings: dict[Case, Future[Meeting]]
) -> None:
    meeting = meetings[gateway, pair].result()
    if gateway == "nothing":
        # Without it two symmetric NATs stay apart, and the others need hundreds of probes and some luck.
        possible: set[tuple[str, str | None]] = {("failed", None)}
        if pair != ("symmetric", "symmetric"):
            possible.add(("direct", "birthday-probing"))
        assert (meeting.elsa["outcome"], meeting.elsa["technique"]) in possible, meeting
        return
    assert (meeting.elsa["outcome"], meeting.elsa["technique"]) == ("direct", "port-mapping"), meeting
    assert meeting.anna is not None
    assert (meeting.anna["message"], meeting.anna["technique"]) == ("hello", "port-mapping")
    (rule,) = meeting.meanwhile
    port = re.search(r"dport (\d+)", rule)
    assert port is not None
    assert meeting.elsa["path"]["remote"] == f"{PUBLIC}:{port[1]}"
    assert meeting.afterwards == []
    assert meeting.code == 130


@pytest.mark.parametrize("gateway", ["pcp", "nat-pmp", "upnp-2"])
def test_when_the_gateway_has_restarted_the_port_is_mapped_anew(gateway: str) -> None:
    protocol, options = GATEWAYS[gateway]
    assert options is not None
    symmetric = PROFILES["symmetric"]
    with Lab(public_nats(symmetric, symmetric), prove=False) as lab:
        daemon = start_gateway(lab, ROUTER, options)
        map_port = ["peer", "map", "add", "40000", "--protocol", protocol, "--keep", "--json"]
        keeper = lab.start("anna", [*map_port, "--watch", "0.5"])
        keeper.wait_for_line("^{")
        (rule,) = forwarded(lab, ROUTER)
        if gateway != "upnp-2":  # a clock that goes back by less than 2 s is none (RFC 6886 section 3.6)
            for _ in range(10):
                daemon.wait_for_line("request received")
        daemon.stop()
        forget_rules(lab, ROUTER)
        restart_gateway(lab, ROUTER, options)
        assert wait_until(lambda: forwarded(lab, ROUTER) == [rule], timeout=15)
        assert keeper.stop() == 130
        assert forwarded(lab, ROUTER) == []


@pytest.mark.parametrize("gateway", ["pcp", "nat-pmp", "upnp-1", "upnp-2"])
def test_a_short_lease_is_renewed_for_as_long_as_it_is_wanted(gateway: str) -> None:
    protocol, options = GATEWAYS[gateway]
    assert options is not None
    symmetric = PROFILES["symmetric"]
    options = GatewayOptions(
        upnp=options.upnp, natpmp=options.natpmp, version_1=options.version_1, min_lifetime=5
    )
    with Lab(public_nats(symmetric, symmetric), prove=False) as lab:
        daemon = start_gateway(lab, ROUTER, options)
        map_port = ["peer", "map", "add", "40000", "--protocol", protocol, "--lifetime", "8", "--json"]
        keeper = lab.start("anna", [*map_port, "--keep"])
        keeper.wait_for_line("^{")
        requests = {
            "pcp": "PCP MAP: added",
            "nat-pmp": "port mapping request",
            "upnp": "#Add(Any)?PortMapping",
        }
        daemon.wait_for_line(requests[protocol])
        daemon.wait_for_line(requests[protocol], timeout=12)
        assert wait_until(lambda: bool(forwarded(lab, ROUTER))), "the daemon takes a rule away to renew it"
        assert keeper.stop() == 130
        assert forwarded(lab, ROUTER) == []


def test_who_calls_can_be_the_one_with_the_gateway() -> None:
    symmetric = PROFILES["symmetric"]
    with Lab(public_nats(symmetric, symmetric), prove=False) as lab:
        start_gateway(lab, "nat-elsa")
        server = lab.start("server", ["rendezvous", "--host", SERVER])
        server.wait_for_line("listening")
        who = ["--id", "elsa", "--server", SERVER, "--wait", "20", "--json"]
        elsa = lab.start("elsa", ["peer", "--trace", str(trace_of(lab)), "connect", "anna", *who])
        assert wait_until(lambda: bool(traced(lab, "PortMapped")), timeout=10)
        lab.start("anna", ["peer", "listen", "--id", "anna", "--server", SERVER, "--once"])
        report = json.loads(elsa.wait_for_line("^{"))
        assert elsa.wait() == 0
        assert (report["outcome"], report["technique"]) == ("direct", "port-mapping")
        assert forwarded(lab, "nat-elsa") == []


@pytest.mark.parametrize("gateway", ["pcp", "nat-pmp", "upnp-1", "upnp-2"])
def test_peer_map_adds_shows_and_deletes(gateway: str) -> None:
    protocol, options = GATEWAYS[gateway]
    symmetric = PROFILES["symmetric"]
    with Lab(public_nats(symmetric, symmetric), prove=False) as lab:
        start_gateway(lab, ROUTER, options)

        def peer_map(*arguments: str) -> dict[str, Any]:
            state = f"XDG_STATE_HOME={lab.artefacts}"
            done = lab.run("anna", ["env", state, PEER, "map", *arguments, "--json"])
            assert (done.returncode, done.stderr) == (0, "")
            told: dict[str, Any] = json.loads(done.stdout)
            return told

        added = peer_map("add", "40000", "--external", "41000", "--protocol", protocol, "--lifetime", "600")
        assert added == {
            "protocol": protocol,
            "gateway": "192.168.1.1",
            "internal": "192.168.1.20:40000",
            "external": f"{PUBLIC}:41000",
            "lifetime": 600,
        }
        (rule,) = forwarded(lab, ROUTER)
        assert "dport 41000 dnat ip to 192.168.1.20:40000" in rule
        shown = peer_map("show")
        assert shown[protocol.replace("-", "_")]["available"]
        assert [one["external"] for one in shown["made_here"]] == [f"{PUBLIC}:41000"]
        if protocol == "upnp":
            assert [row["external_port"] for row in shown["table"]] == [41000]
        assert peer_map("delete", "40000") == {"deleted": "192.168.1.20:40000"}
        assert forwarded(lab, ROUTER) == []
        assert peer_map("show")["made_here"] == []


@pytest.mark.parametrize("arguments", [["add", "40000"], ["add", "40000", "--keep"], ["delete", "40000"]])
def test_without_a_gateway_that_maps_there_is_one_clear_line(arguments: list[str]) -> None:
    symmetric = PROFILES["symmetric"]
    with Lab(public_nats(symmetric, symmetric), prove=False) as lab:
        done = lab.run("anna", ["peer", "map", *arguments])
    assert (done.returncode, done.stdout) == (7, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("peer: no port mapping: ")
    assert "or forward it by hand" in line
