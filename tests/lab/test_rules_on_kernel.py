"""The rules on this kernel, packet by packet, where the probe of a lab does not look.

The probe measures one host behind a NAT of a named profile. Here are two hosts that use the same source
port, pools that run out, packets that must not keep a mapping alive, and rules that take each other's place.
"""

from __future__ import annotations

import errno
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise

import pytest

from natcore.nat import (
    EarlyInbound,
    FilteringBehavior,
    MappingBehavior,
    PortAllocation,
)
from netlab.profiles import COMBINATIONS, PROFILES, profile
from netlab.rules import RouterFacts, RuleScript, first_rules, forget_scripts, install_chains, router_rules
from netlab.rules.ports import MAX_LISTED_PORTS
from netlab.tools import apply_settings, run_tool, run_tool_in
from tests.lab.bare_router import (
    HOST,
    ONE_HOST,
    OTHER_HOST,
    OTHER_SERVER,
    SERVER,
    STRANGER,
    TWO_HOSTS,
    WAN_ADDRESS,
    BareRouter,
    bare_router,
    changed,
    endpoint_of,
    endpoint_outside,
    keep_sending,
    router_with,
    seen_by,
)

pytestmark = pytest.mark.lab

EIM, ADM, APDM = MappingBehavior
EIF, ADF, APDF = FilteringBehavior
PRESERVING, RANDOM, SEQUENTIAL = PortAllocation

LIFETIME = 1.0
"""Seconds; connection tracking counts in whole ones."""


def port_seen(receiver: socket.socket, sender: socket.socket) -> int | None:
    source = seen_by(receiver, sender)
    assert source is None or source[0] == WAN_ADDRESS
    return None if source is None else source[1]


def mapping_of(router: BareRouter) -> MappingBehavior | None:
    """Measured with one socket towards two ports of each of two addresses."""
    host = router.at_home()
    a, b, c, d = (
        port_seen(router.on_internet(address), host)
        for address in (SERVER, SERVER, OTHER_SERVER, OTHER_SERVER)
    )
    assert None not in (a, b, c, d)
    groups = {1: EIM, 2: ADM if (a, c) == (b, d) else None, 4: APDM}
    return groups.get(len({a, b, c, d}))


def filtering_of(router: BareRouter) -> FilteringBehavior:
    """Measured with a fresh socket for each question, for an answer opens what was closed."""

    def is_reachable_from(address: str) -> bool:
        host, server = router.at_home(), router.on_internet(SERVER)
        external = seen_by(server, host)
        assert external is not None
        assert seen_by(host, server, external) == endpoint_of(server)
        return seen_by(host, router.on_internet(address), external) is not None

    if is_reachable_from(STRANGER):
        return EIF
    return ADF if is_reachable_from(SERVER) else APDF


def allocation_of(router: BareRouter, *, step: int = 1) -> PortAllocation:
    """Measured with six sockets in turn."""
    server = router.on_internet()
    hosts = [router.at_home() for _ in range(6)]
    ports = [port_seen(server, host) or 0 for host in hosts]
    if ports == [endpoint_of(host)[1] for host in hosts]:
        return PRESERVING
    return SEQUENTIAL if {b - a for a, b in pairwise(ports)} == {step} else RANDOM


@pytest.mark.parametrize("name", COMBINATIONS)
def test_a_combination_does_what_it_says_with_two_hosts_in_the_home(name: str) -> None:
    behavior = COMBINATIONS[name].behavior
    with router_with(COMBINATIONS[name]) as router:
        assert mapping_of(router) is behavior.mapping
        assert filtering_of(router) is behavior.filtering
        assert allocation_of(router) is behavior.allocation


@pytest.mark.parametrize("name", [name for name, one in COMBINATIONS.items() if one.behavior.mapping is EIM])
def test_two_hosts_with_the_same_source_port_have_one_external_endpoint_each(name: str) -> None:
    with router_with(COMBINATIONS[name]) as router:
        servers = [router.on_internet(SERVER), router.on_internet(OTHER_SERVER)]
        host, other = router.at_home(HOST, 20000), router.at_home(OTHER_HOST, 20000)
        ports = [{port_seen(server, each) for server in servers} for each in (host, other, host, other)]
        assert {None} not in ports
        assert all(len(each) == 1 for each in ports)
        assert ports[0] == ports[2]
        assert ports[1] == ports[3]
        assert ports[0] != ports[1]


@pytest.mark.parametrize("step", [2, 7])
def test_sequential_ports_step_as_far_as_they_are_told(step: int) -> None:
    with router_with(changed("symmetric-sequential", port_step=step)) as router:
        assert allocation_of(router, step=step) is SEQUENTIAL


def test_nothing_but_a_new_udp_mapping_takes_a_port_of_its_sequence() -> None:
    """What predicts the next port relies on it: only other mappings of the home come in between."""
    with router_with(profile("symmetric-sequential")) as router:
        server, host = router.on_internet(), router.at_home()
        first = port_seen(server, host)
        assert first is not None
        with router.open_in(router.inside, socket.SOCK_STREAM) as tcp:
            assert tcp.connect_ex((SERVER, 9)) == errno.ECONNREFUSED
        run_tool_in(router.inside, ["ping", "-c", "1", "-W", "1", SERVER])
        assert port_seen(server, router.open_in(router.router)) is not None
        assert seen_by(host, router.on_internet(STRANGER), (WAN_ADDRESS, first + 1)) is None
        assert seen_by(host, router.at_home(OTHER_HOST), (WAN_ADDRESS, first)) is None
        assert port_seen(server, host) == first
        assert port_seen(server, router.at_home(OTHER_HOST)) == first + 1
        assert port_seen(router.on_internet(), host) == first + 2


def test_a_sequence_begins_again_at_its_end_and_passes_over_what_is_in_use() -> None:
    pool = 6
    with router_with(changed("symmetric-sequential", port_pool=pool, mapping_lifetime=LIFETIME)) as router:
        server, kept = router.on_internet(), router.at_home()
        first = port_seen(server, kept)
        assert first is not None
        ports = [port_seen(server, router.at_home()) for _ in range(pool - 2)]
        assert ports == list(range(first + 1, first + pool - 1))
        keep_sending([(kept, endpoint_of(server))], 1.2 * LIFETIME)
        ports = [port_seen(server, router.at_home()) for _ in range(3)]
        assert ports == [first + pool - 1, first + 1, first + 2]


@pytest.mark.parametrize(
    "name", ["eim-apdf-random", "eim-eif-sequential", "adm-adf-random", "apdm-eif-sequential", "symmetric"]
)
def test_a_pool_that_is_used_up_gives_no_mapping_until_one_ends(name: str) -> None:
    small = changed(name, port_pool=18)
    with router_with(small) as router:
        server, other = router.on_internet(), router.on_internet(OTHER_SERVER)
        ports = {port_seen(server, router.at_home()) for _ in range(18)}
        assert None not in ports
        assert len(ports) == 18
        late = router.at_home()
        assert port_seen(server, late) is None
        assert port_seen(other, late) is None
        router.apply(forget_scripts(small, TWO_HOSTS))
        assert port_seen(server, late) in ports


def test_a_pool_too_large_to_be_listed_still_bounds_the_ports() -> None:
    with router_with(changed("symmetric", port_pool=5000)) as router:
        server = router.on_internet()
        ports = [port_seen(server, router.at_home()) or 0 for _ in range(40)]
        assert max(ports) - min(ports) < 5000
        assert min(ports) >= 1024


def test_random_ports_come_from_the_whole_range() -> None:
    with router_with(profile("eim-eif-random")) as router:
        server = router.on_internet()
        ports = [port_seen(server, router.at_home()) or 0 for _ in range(64)]
        assert min(ports) >= 1024
        assert max(ports) - min(ports) > 32768  # all 64 in half of the range: once in 10^17 runs
        assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("facts", [ONE_HOST, TWO_HOSTS], ids=["iptables", "nft"])
@pytest.mark.parametrize("name", ["naive", "eim-apdf-random", "eim-adf-sequential", "adm-apdf-random"])
def test_where_early_packets_remap_the_mapping_moves_for_their_sender_and_for_whoever_comes_later(
    name: str, facts: RouterFacts
) -> None:
    remaps = changed(name, early_inbound=EarlyInbound.REMAPS)
    with router_with(remaps, facts) as router:
        server, early = (
            router.on_internet(SERVER),
            router.on_internet(SERVER if name.startswith("adm") else STRANGER),
        )
        host = router.at_home()
        external = seen_by(server, host)
        assert external is not None
        assert seen_by(host, early, external) is None
        moved = seen_by(early, host)
        assert moved not in (None, external)
        assert seen_by(server, host) == external
        assert seen_by(router.on_internet(SERVER), host) == moved


@pytest.mark.parametrize("name", ["port-restricted", "eim-apdf-random", "short-lifetime"])
def test_elsewhere_an_early_packet_changes_nothing(name: str) -> None:
    with router_with(profile(name), TWO_HOSTS) as router:
        server, early = router.on_internet(SERVER), router.on_internet(STRANGER)
        host = router.at_home()
        external = seen_by(server, host)
        assert seen_by(host, early, external) is None
        assert seen_by(early, host) == external


def test_inbound_packets_alone_do_not_keep_a_mapping_that_outbound_ones_keep() -> None:
    """Random ports, so that a mapping that is gone shows by its port; all routers at once, to wait once."""
    names = ("eim-apdf-random", "eim-adf-random", "eim-eif-random", "adm-adf-random", "symmetric")
    with ExitStack() as stack:
        scenes = []
        for name in names:
            one = changed(name, inbound_refresh=False, mapping_lifetime=LIFETIME)
            router = stack.enter_context(router_with(one))
            server, called, caller = router.on_internet(), router.at_home(), router.at_home()
            scenes.append((name, server, called, caller))
        before = [
            (endpoint_outside(server, called), endpoint_outside(server, caller))
            for _, server, called, caller in scenes
        ]
        for (_, server, called, _), (external, _) in zip(scenes, before, strict=True):
            assert seen_by(called, server, external) == endpoint_of(server)
        inward = [(scene[1], external) for scene, (external, _) in zip(scenes, before, strict=True)]
        outward = [(caller, endpoint_of(server)) for _, server, _, caller in scenes]
        keep_sending([*inward, *outward], 1.6 * LIFETIME)
        for (name, server, called, caller), (gone, kept) in zip(scenes, before, strict=True):
            assert seen_by(called, server, gone) is None, name
            assert seen_by(server, called) not in (None, gone), name
            assert seen_by(caller, server, kept) == endpoint_of(server), name
            assert seen_by(server, caller) == kept, name


def test_where_inbound_packets_refresh_they_keep_the_whole_mapping() -> None:
    """Not only the flow that they are of: the port, and who may send to it."""
    cases = [
        (name, facts)
        for name in ("full-cone", "address-restricted", "eim-eif-random")
        for facts in (ONE_HOST, TWO_HOSTS)
    ]
    with ExitStack() as stack:
        scenes = []
        for name, facts in cases:
            router = stack.enter_context(router_with(changed(name, mapping_lifetime=LIFETIME), facts))
            server, host = router.on_internet(), router.at_home()
            scenes.append((router, server, host, endpoint_outside(server, host)))
        keep_sending([(server, external) for _, server, _, external in scenes], 1.6 * LIFETIME)
        for case, (router, server, host, external) in zip(cases, scenes, strict=True):
            assert seen_by(host, server, external) == endpoint_of(server), case
            assert seen_by(host, router.on_internet(SERVER), external) is not None, case
            assert seen_by(router.on_internet(OTHER_SERVER), host) == external, case


def test_a_mapping_that_has_lost_its_port_is_not_believed() -> None:
    """Flows by another port renew what names it; but the port itself ends, and may be somebody else's."""
    lost = changed("adm-eif-random", mapping_lifetime=LIFETIME, port_pool=2)
    with router_with(lost) as router:
        server, friend, other = router.on_internet(SERVER), router.on_internet(OTHER_SERVER), router.at_home()
        host = router.at_home()
        kept, given_up = endpoint_outside(server, host), endpoint_outside(friend, host)
        assert seen_by(host, friend, kept) is not None  # it has a mapping, and comes in by another one's port
        keep_sending([(friend, kept)], 1.6 * LIFETIME)
        assert seen_by(server, other) == given_up
        assert seen_by(router.on_internet(OTHER_SERVER), host) in (None, kept)


def test_a_firewall_translates_nothing_and_lets_in_answers_only() -> None:
    with router_with(profile("stateful-firewall")) as router:
        run_tool_in(
            router.outside, ["ip", "route", "add", "192.168.1.0/24", "via", WAN_ADDRESS, "dev", "eth0"]
        )
        server, host = router.on_internet(), router.at_home()
        endpoint = endpoint_of(host)
        assert seen_by(host, router.on_internet(), endpoint) is None
        assert seen_by(server, host) == endpoint
        assert seen_by(host, server, endpoint) == endpoint_of(server)
        assert seen_by(host, router.on_internet(SERVER), endpoint) is None


def test_ipv6_is_filtered_and_not_translated_and_blocked_where_ipv4_is() -> None:
    with bare_router() as router:
        address = add_ipv6(router)
        dual_stack = replace(ONE_HOST, has_ipv6=True)
        router.apply(first_rules(profile("full-cone"), dual_stack))

        def open_at(namespace: str, host: str) -> socket.socket:
            made = router.open_in(namespace, family=socket.AF_INET6)
            made.bind((address[host], 0))
            return made

        server, stranger = open_at(router.outside, "server"), open_at(router.outside, "server")
        host = open_at(router.inside, "host")
        assert seen_by(host, server) is None
        assert seen_by(server, host) == endpoint_of(host)
        assert seen_by(host, server) == endpoint_of(server)
        assert seen_by(host, stranger) is None
        router.apply(router_rules(profile("udp-blocked"), dual_stack))
        assert seen_by(server, host) is None


def add_ipv6(router: BareRouter) -> dict[str, str]:
    """Gives the three namespaces IPv6, and says who has which address."""
    address = {
        "server": "2001:db8:1::10",
        "wan": "2001:db8:1::1",
        "lan": "2001:db8:2::1",
        "host": "2001:db8:2::10",
    }
    apply_settings(router.router, {"net.ipv6.conf.all.forwarding": "1"})
    for namespace, name, interface in (
        (router.outside, "server", "eth0"),
        (router.router, "wan", "wan0"),
        (router.router, "lan", "lan0"),
        (router.inside, "host", "eth0"),
    ):
        run_tool(["ip", "-n", namespace, "address", "add", f"{address[name]}/64", "dev", interface, "nodad"])
    for namespace, gateway in ((router.outside, "wan"), (router.inside, "lan")):
        run_tool(["ip", "-6", "-n", namespace, "route", "add", "default", "via", address[gateway]])
    return address


@pytest.fixture(scope="module")
def worn_router() -> Iterator[BareRouter]:
    """A router that every profile takes over from the one before."""
    with bare_router() as router:
        router.apply(first_rules(profile("full-cone"), ONE_HOST))
        yield router


@pytest.mark.parametrize(
    "name",
    ["address-restricted", "eim-eif-random", "full-cone", "symmetric-sequential", "symmetric"],
)
def test_a_profile_takes_the_place_of_another_without_a_trace(name: str, worn_router: BareRouter) -> None:
    server = worn_router.on_internet()
    host = worn_router.at_home()
    external = seen_by(server, host)
    assert external is not None
    worn_router.apply(router_rules(profile(name), ONE_HOST))
    assert seen_by(host, server, external) is None
    has_table = "netlab" in run_tool_in(worn_router.router, ["nft", "list", "tables"])
    sets = run_tool_in(worn_router.router, ["ipset", "list", "-n"]).split()
    tools = [script.tool[0] for script in first_rules(profile(name), ONE_HOST)]
    assert has_table is ("nft" in tools)
    assert bool(sets) is ("ipset" in tools)
    assert mapping_of(worn_router) is profile(name).behavior.mapping
    assert filtering_of(worn_router) is profile(name).behavior.filtering


@pytest.mark.parametrize("facts", [ONE_HOST, TWO_HOSTS], ids=["one host", "two hosts"])
@pytest.mark.parametrize("name", ["full-cone", "address-restricted", "non-preserving-cone", "symmetric"])
def test_a_nat_that_forgot_knows_nobody(name: str, facts: RouterFacts) -> None:
    with router_with(profile(name), facts) as router:
        server, host = router.on_internet(), router.at_home()
        external = seen_by(server, host)
        router.apply(forget_scripts(profile(name), facts))
        assert seen_by(host, server, external) is None
        again = seen_by(server, host)
        assert again is not None
        assert (again == external) is (profile(name).behavior.allocation is PRESERVING)


def test_an_unprivileged_user_can_apply_the_rules_of_every_profile_in_a_namespace_of_its_own() -> None:
    """Where a process may send the kernel less at once than root may."""
    names = [name for name in (*PROFILES, *COMBINATIONS) if name != "open"]
    scripts = [
        *install_chains(),
        *(script for name in names for script in router_rules(profile(name), TWO_HOSTS)),
        *rules_of_the_largest_pool(),
    ]
    steps = "".join(f"{shlex.join(script.tool)} <<'END'\n{script.text}END\n" for script in scripts)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run(
        [*nobody, "unshare", "-Urnm", "sh", "-e"],
        input="mount -t tmpfs tmpfs /run\nPATH=/usr/sbin:/sbin:$PATH\n" + steps,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def rules_of_the_largest_pool() -> tuple[RuleScript, ...]:
    return router_rules(changed("symmetric-small-pool", port_pool=MAX_LISTED_PORTS), TWO_HOSTS)
