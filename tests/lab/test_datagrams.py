"""What RFC 4787 and RFC 5508 ask of every NAT for every datagram, with each way to translate.

Fragments of any size pass (RFC 4787 REQ-14), a missing checksum stays missing, ICMP errors find their way to
who caused them (RFC 5508 REQ-4 and -5) and end no mapping (RFC 4787 REQ-12). Traversal needs the last two: a
datagram whose time to live ends on the way opens the own NAT and nobody else's.
"""

from __future__ import annotations

import secrets
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from netlab.backend import namespace_of
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.tools import apply_settings, run_tool_in
from netlab.topology.scenes import two_nats
from tests.lab.bare_router import (
    ONE_HOST,
    PATIENCE,
    SERVER,
    TWO_HOSTS,
    WAN_ADDRESS,
    BareRouter,
    Endpoint,
    changed,
    endpoint_of,
    endpoint_outside,
    heard,
    router_with,
    seen_by,
    socket_in,
)

pytestmark = pytest.mark.lab

ENGINES = {
    "iptables": ("port-restricted", ONE_HOST),
    "iptables, random": ("symmetric", ONE_HOST),
    "iptables, a bitmap of ports": ("full-cone", ONE_HOST),
    "iptables, a hash of permissions": ("address-restricted", ONE_HOST),
    "nft, preserving": ("port-restricted", TWO_HOSTS),
    "nft, drawn": ("adm-eif-random", ONE_HOST),
    "nft, listed": ("symmetric-small-pool", ONE_HOST),
    "nft, moving": ("naive", TWO_HOSTS),
    "nft, stateless": ("short-lifetime", ONE_HOST),
}

BEYOND = "198.18.0.1"
"""An address that the internet knows no way to."""

TIME_EXCEEDED, PORT_UNREACHABLE = (11, 0), (3, 3)

_SO_NO_CHECK = 11
_IP_TTL, _IP_RECVERR, _MSG_ERRQUEUE = 2, 11, 0x2000


@pytest.fixture(scope="module")
def routers() -> Iterator[dict[str, BareRouter]]:
    with ExitStack() as stack:
        built = {}
        for engine, (name, facts) in ENGINES.items():
            lasting = changed(name, mapping_lifetime=60.0)
            built[engine] = stack.enter_context(router_with(lasting, facts))
            let_die_on_the_internet(built[engine])
        yield built


@pytest.fixture(params=ENGINES)
def router(request: pytest.FixtureRequest, routers: dict[str, BareRouter]) -> BareRouter:
    return routers[request.param]


def let_die_on_the_internet(router: BareRouter) -> None:
    """Has the internet forward what is for BEYOND, in a circle."""
    apply_settings(router.outside, {"net.ipv4.ip_forward": "1"})
    circle = ["dev", "wan0", "onlink"], ["dev", "eth0"]
    run_tool_in(router.router, ["ip", "route", "add", BEYOND, "via", SERVER, *circle[0]])
    run_tool_in(router.outside, ["ip", "route", "add", BEYOND, *circle[1]])


def source_of(receiver: socket.socket, sender: socket.socket, destination: Endpoint, size: int) -> Endpoint:
    """Where a datagram of that size comes from, which is sent once and must arrive whole."""
    token = secrets.token_bytes(size)
    sender.sendto(token, destination)
    source = heard(receiver, token)
    assert source is not None, f"{size} bytes from {endpoint_of(sender)} to {destination}"
    return source


def without_checksums(udp: socket.socket) -> socket.socket:
    udp.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)
    return udp


def hearing_errors(udp: socket.socket) -> socket.socket:
    udp.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    return udp


def error_at(udp: socket.socket) -> tuple[tuple[int, int], Endpoint] | None:
    """Type and code of the ICMP error that a socket gets, and what it had sent to."""
    errors = select.poll()
    errors.register(udp, 0)  # POLLERR comes unasked
    if not errors.poll(PATIENCE * 1000):
        return None
    _, ancillary, _, target = udp.recvmsg(64, 512, _MSG_ERRQUEUE)
    ((_, _, data),) = [one for one in ancillary if one[:2] == (socket.IPPROTO_IP, _IP_RECVERR)]
    _, _, kind, code = struct.unpack_from("=IBBB", data)
    return (kind, code), (str(target[0]), int(target[1]))


def test_a_datagram_without_a_checksum_arrives_at_the_first_try(router: BareRouter) -> None:
    for _ in range(3):  # a wrong checksum is right by chance once in 65,536 times
        server, host = without_checksums(router.on_internet()), without_checksums(router.at_home())
        external = source_of(server, host, endpoint_of(server), 100)
        assert source_of(host, server, external, 100) == endpoint_of(server)


@pytest.mark.parametrize("size", [3000, 65507])
def test_a_datagram_in_fragments_passes_both_ways_and_begins_a_mapping(router: BareRouter, size: int) -> None:
    server, host = router.on_internet(), router.at_home()
    external = source_of(server, host, endpoint_of(server), size)
    assert external[0] == WAN_ADDRESS
    assert source_of(host, server, external, size) == endpoint_of(server)
    assert source_of(server, host, endpoint_of(server), 100) == external


@pytest.mark.parametrize("is_new", [True, False])
def test_an_error_from_the_way_reaches_who_sent_and_ends_nothing(router: BareRouter, is_new: bool) -> None:
    server, host = router.on_internet(), hearing_errors(router.at_home())
    external = None if is_new else endpoint_outside(server, host)
    host.setsockopt(socket.IPPROTO_IP, _IP_TTL, 2)
    host.sendto(b"dies on the internet", (BEYOND, 5000))
    assert error_at(host) == (TIME_EXCEEDED, (BEYOND, 5000))
    host.setsockopt(socket.IPPROTO_IP, _IP_TTL, 1)
    host.sendto(b"dies at the router", (BEYOND, 5001))
    assert error_at(host) == (TIME_EXCEEDED, (BEYOND, 5001))
    host.setsockopt(socket.IPPROTO_IP, _IP_TTL, 64)
    if external is not None:
        assert seen_by(host, server, external) == endpoint_of(server)


def test_an_error_from_either_end_reaches_the_other(router: BareRouter) -> None:
    server, host = hearing_errors(router.on_internet()), hearing_errors(router.at_home())
    with router.on_internet(SERVER) as gone:
        nobody = endpoint_of(gone)
    host.sendto(b"to nobody", nobody)
    assert error_at(host) == (PORT_UNREACHABLE, nobody)
    external = endpoint_outside(server, host)
    host.close()
    server.sendto(b"to nobody", external)
    assert error_at(server) == (PORT_UNREACHABLE, external)


@pytest.mark.parametrize(
    ("name", "hops"),
    [("port-restricted", 2), ("naive", 2), ("short-lifetime", 2), ("cgn-cone", 3), ("stateful-firewall", 2)],
)
def test_a_datagram_that_dies_on_the_way_opens_the_own_nat_and_troubles_nobody(name: str, hops: int) -> None:
    """What low-TTL priming does: the other side's NAT never sees it, the first packet from there comes in."""
    lab = Lab(two_nats(profile(name), profile("naive"), rtt=0.01), prove=False)
    with lab, ExitStack() as stack:

        def open_in(node: str, address: str, port: int) -> socket.socket:
            udp = stack.enter_context(socket_in(namespace_of(lab.name, node)))
            udp.bind((address, port))
            return udp

        home = {host.name: str(host.addresses[0]) for host in lab.topology.hosts}
        server = open_in("server", home["server"], 3478)
        elsa, anna = hearing_errors(open_in("elsa", home["elsa"], 5000)), open_in("anna", home["anna"], 5000)
        elsas, annas = outside_of(server, elsa), outside_of(server, anna)
        elsa.setsockopt(socket.IPPROTO_IP, _IP_TTL, hops)
        elsa.sendto(b"opens", annas)
        assert error_at(elsa) == (TIME_EXCEEDED, annas)
        assert not [line for line in lab.conntrack("nat-anna") if elsas[0] in line]
        assert source_of(elsa, anna, elsas, 100) == annas
        elsa.setsockopt(socket.IPPROTO_IP, _IP_TTL, 64)
        assert source_of(anna, elsa, annas, 100) == elsas


def outside_of(server: socket.socket, host: socket.socket) -> Endpoint:
    """As whom a server sees a host; the first packets of a lab may still be looking for their neighbours."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        source = seen_by(server, host)
        if source is not None:
            return source
    raise AssertionError(f"{endpoint_of(host)} never reached the server")
