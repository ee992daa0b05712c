"""One router with rules, between the internet and a home, without the rest of a lab.

Three namespaces: ``outside`` holds a server's two addresses and a stranger, ``inside`` holds two hosts of a
home, as two addresses. The test process opens its sockets in them itself, so nothing has to be started and
every packet is the test's own.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import select
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network

from netlab.profiles import NatProfile, profile
from netlab.rules import RouterFacts, RuleScript, first_rules
from netlab.tools import apply_settings, run_tool, run_tool_in
from netlab.wiring import ONE_PROCESSOR

Endpoint = tuple[str, int]

WAN_ADDRESS = "203.0.113.7"
SERVER, OTHER_SERVER, STRANGER = "198.51.100.10", "198.51.100.20", "192.0.2.1"
HOST, OTHER_HOST = "192.168.1.10", "192.168.1.11"
_ROUTER_INSIDE = "192.168.1.1"

PATIENCE = 2.0
"""Seconds for a packet that must come; it takes microseconds, the rest is for a busy machine."""

GRACE = 0.03
"""Seconds that a packet may still come after one that was sent later, on another processor."""

_CLONE_NEWNET = 0x40000000


def facts_for(*hosts: str) -> RouterFacts:
    """Where the router stands, with these hosts in its home."""
    return RouterFacts(
        wan="wan0",
        wan_address=IPv4Address(WAN_ADDRESS),
        lan="lan0",
        lan_network=IPv4Network("192.168.1.0/24"),
        hosts=tuple(IPv4Address(host) for host in hosts),
    )


TWO_HOSTS = facts_for(HOST, OTHER_HOST)
ONE_HOST = facts_for(HOST)


@dataclass(slots=True)
class BareRouter:
    """The three namespaces, and every socket that was opened in them."""

    name: str
    sockets: ExitStack = field(default_factory=ExitStack)

    @property
    def router(self) -> str:
        return f"{self.name}-router"

    @property
    def inside(self) -> str:
        return f"{self.name}-inside"

    @property
    def outside(self) -> str:
        return f"{self.name}-outside"

    def apply(self, scripts: Sequence[RuleScript]) -> None:
        """Runs scripts in the router."""
        for script in scripts:
            run_tool_in(self.router, script.tool, text=script.text)

    def set_lifetime(self, seconds: float) -> None:
        """What the wiring of a lab does for a profile's mapping lifetime."""
        timers = ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream")
        apply_settings(self.router, {f"net.netfilter.{timer}": f"{seconds:.0f}" for timer in timers})

    def at_home(self, host: str = HOST, port: int = 0) -> socket.socket:
        """A new UDP socket of a host in the home."""
        return self._open(self.inside, host, port)

    def on_internet(self, address: str = SERVER, port: int = 0) -> socket.socket:
        """A new UDP socket on the internet."""
        return self._open(self.outside, address, port)

    def open_in(
        self, namespace: str, kind: int = socket.SOCK_DGRAM, family: int = socket.AF_INET
    ) -> socket.socket:
        """A new socket in a namespace, which is closed with the router."""
        return self.sockets.enter_context(socket_in(namespace, kind, family))

    def _open(self, namespace: str, address: str, port: int) -> socket.socket:
        made = self.open_in(namespace)
        made.bind((address, port))
        return made


@contextmanager
def bare_router() -> Iterator[BareRouter]:
    """A router that forwards and has no rules yet."""
    built = BareRouter(name=f"rules{secrets.token_hex(3)}")
    namespaces = (built.outside, built.router, built.inside)
    with built.sockets:
        try:
            run_tool(["ip", "-batch", "-"], text="".join(f"netns add {one}\n" for one in namespaces))
            _connect(built)
            yield built
        finally:
            run_tool(
                ["ip", "-force", "-batch", "-"], text="".join(f"netns del {one}\n" for one in namespaces)
            )


@contextmanager
def router_with(
    profile: NatProfile, facts: RouterFacts = TWO_HOSTS, *, seed: int = 1
) -> Iterator[BareRouter]:
    """A router with the rules of a profile."""
    with bare_router() as built:
        built.set_lifetime(profile.behavior.mapping_lifetime)
        built.apply(first_rules(profile, facts, seed=seed))
        yield built


def changed(name: str, **changes: object) -> NatProfile:
    """A profile with another behaviour in some respects."""
    one = profile(name)
    return replace(one, behavior=replace(one.behavior, **changes))  # type: ignore[arg-type]


def endpoint_of(udp: socket.socket) -> Endpoint:
    """Where a socket is bound."""
    address, port, *_ = udp.getsockname()
    return str(address), int(port)


def seen_by(
    receiver: socket.socket, sender: socket.socket, destination: Endpoint | None = None
) -> Endpoint | None:
    """The source that ``receiver`` sees of a packet from ``sender``; None if it does not come.

    For an answer that never comes this waits for :data:`GRACE` only, and tries again for as long as it takes
    the machine to be awake: three times.
    """
    for _ in range(3):
        token = secrets.token_bytes(8)
        sender.sendto(token, destination or endpoint_of(receiver))
        source = heard(receiver, token, within=GRACE)
        if source is not None:
            return source
    return None


def keep_sending(senders: Sequence[tuple[socket.socket, Endpoint]], seconds: float) -> None:
    """Has every sender send ten packets a second to its destination for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for sender, destination in senders:
            sender.sendto(b"still here", destination)
        time.sleep(0.1)  # not for synchronisation: a mapping's life is measured in real time


def endpoint_outside(server: socket.socket, host: socket.socket) -> Endpoint:
    """The external endpoint of a host's socket towards a server, which must be there."""
    external = seen_by(server, host)
    assert external is not None
    return external


def heard(receiver: socket.socket, token: bytes, *, within: float = PATIENCE) -> Endpoint | None:
    """The source of the packet with this content, if it comes in time; others before it are dropped."""
    while select.select([receiver], [], [], within)[0]:
        try:
            data, (address, port, *_) = receiver.recvfrom(65536)
        except OSError:  # an ICMP error on its way back
            continue
        if data == token:
            return str(address), int(port)
    return None


def _connect(built: BareRouter) -> None:
    apply_settings(built.router, ONE_PROCESSOR)
    links = (
        f"link add wan0 netns {built.router} type veth peer name eth0 netns {built.outside}\n"
        f"link add lan0 netns {built.router} type veth peer name eth0 netns {built.inside}\n"
    )
    run_tool(["ip", "-batch", "-"], text=links)
    off = {"net.ipv4.conf.all.rp_filter": "0", "net.ipv4.conf.default.rp_filter": "0"}
    quiet = {"net.ipv4.conf.all.send_redirects": "0", "net.ipv4.conf.lan0.send_redirects": "0"}
    apply_settings(built.router, {"net.ipv4.ip_forward": "1", **off, **quiet})
    _configure(
        built.router,
        f"address add {WAN_ADDRESS}/32 dev wan0",
        f"address add {_ROUTER_INSIDE}/24 dev lan0",
        "link set wan0 up",
        "link set lan0 up",
        "route add default dev wan0",
    )
    addresses = (f"address add {one}/32 dev eth0" for one in (SERVER, OTHER_SERVER, STRANGER))
    _configure(built.outside, *addresses, "link set eth0 up", f"route add {WAN_ADDRESS}/32 dev eth0")
    _configure(
        built.inside,
        f"address add {HOST}/24 dev eth0",
        f"address add {OTHER_HOST}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {_ROUTER_INSIDE}",
    )


def _configure(namespace: str, *lines: str) -> None:
    run_tool(["ip", "-n", namespace, "-batch", "-"], text="".join(f"{line}\n" for line in lines))


def socket_in(namespace: str, kind: int = socket.SOCK_DGRAM, family: int = socket.AF_INET) -> socket.socket:
    """A new socket in a namespace: a thread of its own goes there, makes it, and ends."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_go_and_open, namespace, kind, family).result()


def _go_and_open(namespace: str, kind: int, family: int) -> socket.socket:
    handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        return socket.socket(family, kind)
    finally:
        os.close(handle)
