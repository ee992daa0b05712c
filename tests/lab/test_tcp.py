"""TCP through every way to translate: it connects, it meets half-way, and strangers get no answer."""

from __future__ import annotations

import errno
import select
import socket

import pytest

from netlab.profiles import profile
from netlab.rules import RouterFacts
from tests.lab.bare_router import (
    HOST,
    ONE_HOST,
    PATIENCE,
    SERVER,
    STRANGER,
    TWO_HOSTS,
    WAN_ADDRESS,
    BareRouter,
    Endpoint,
    endpoint_of,
    router_with,
    seen_by,
)

pytestmark = pytest.mark.lab


def is_connected(router: BareRouter, port: int) -> bool:
    """Whether a host reaches a TCP server at this port."""
    listener = router.open_in(router.outside, socket.SOCK_STREAM)
    listener.bind((SERVER, port))
    listener.listen()
    client = router.open_in(router.inside, socket.SOCK_STREAM)
    client.settimeout(0.2)
    try:
        client.connect((SERVER, port))
    except TimeoutError:
        return False
    return True


def test_a_company_lets_out_the_web_and_nothing_else() -> None:
    with router_with(profile("corporate")) as router:
        assert is_connected(router, 80)
        assert is_connected(router, 443)
        assert not is_connected(router, 8080)
        assert seen_by(router.on_internet(), router.at_home()) is None


RESTRICTED = [
    ("port-restricted", ONE_HOST),
    ("port-restricted", TWO_HOSTS),
    ("non-preserving-cone", ONE_HOST),
    ("address-restricted", ONE_HOST),
    ("short-lifetime", ONE_HOST),
    ("udp-blocked", ONE_HOST),
]
"""Each way to keep one endpoint and to let in only whom one has sent to."""


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        *RESTRICTED,
        ("full-cone", ONE_HOST),
        ("eim-eif-random", TWO_HOSTS),
        ("symmetric", ONE_HOST),
        ("symmetric-small-pool", ONE_HOST),
        ("apdm-adf-sequential", ONE_HOST),
        ("naive", TWO_HOSTS),
    ],
)
def test_tcp_passes_every_translation(name: str, facts: RouterFacts) -> None:
    with router_with(profile(name), facts) as router:
        assert is_connected(router, 80)


def tcp_at(router: BareRouter, namespace: str, address: str, port: int = 0) -> socket.socket:
    """A socket that may share its port with others, and that does not wait."""
    made = router.open_in(namespace, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((address, port))
    made.setblocking(False)
    return made


def external_of(router: BareRouter, port: int) -> Endpoint:
    """As whom a TCP server sees a host that connects from this port."""
    with tcp_at(router, router.outside, SERVER) as listener:
        listener.listen()
        listener.settimeout(PATIENCE)
        tcp_at(router, router.inside, HOST, port).connect_ex(endpoint_of(listener))
        connection, (address, seen) = listener.accept()
        connection.close()
    return address, seen


def outcome_of(connecting: socket.socket, *, within: float = PATIENCE) -> int | None:
    """The error of a connection that is being made, 0 for none, or None if there is no outcome yet."""
    is_over = select.select([], [connecting], [], within)[1]
    return connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if is_over else None


@pytest.mark.parametrize(("name", "facts"), RESTRICTED)
def test_two_that_connect_to_each_other_at_once_meet_though_the_first_packet_is_dropped(
    name: str, facts: RouterFacts
) -> None:
    """Simultaneous open; the NAT says nothing to the packet that nobody asked for (RFC 5382 REQ-4)."""
    with router_with(profile(name), facts) as router:
        external = external_of(router, 5000)
        peer, host = tcp_at(router, router.outside, STRANGER), tcp_at(router, router.inside, HOST, 5000)
        peer.connect_ex(external)
        assert outcome_of(peer, within=0.05) is None
        host.connect_ex(endpoint_of(peer))
        assert (outcome_of(host), outcome_of(peer)) == (0, 0)


def test_only_the_naive_nat_refuses_a_connection_that_nobody_asked_for() -> None:
    with router_with(profile("naive"), ONE_HOST) as router:
        peer = tcp_at(router, router.outside, STRANGER)
        peer.connect_ex((WAN_ADDRESS, 5000))
        assert outcome_of(peer) == errno.ECONNREFUSED
