"""Opens the further UDP endpoints for behaviour discovery: a second port, a second address (RFC 5780).

Listening everywhere needs one more socket for the second port, as the kernel tells to which address a
datagram came. Listening on one address needs a socket for each of four endpoints.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from natcore.address import MAX_PORT, IPAddress, TransportAddress
from natcore.registry import LinkOptions, Offer
from rendezvous.errors import AlternateRefused
from rendezvous.listening import Listening, open_datagrams, own_address, words_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternateOptions:
    """What the operator asked for.

    Attributes:
        addresses: second addresses of this machine, at most one of each family.
        port: the second port; None takes the one after the first, if that is free.
        server: another server that is our alternate address, with our own ports; None without.
        key: what the two share.
    """

    addresses: tuple[IPAddress, ...] = ()
    port: int | None = None
    server: IPAddress | None = None
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternates:
    """The further sockets; whoever has this closes them.

    Attributes:
        sockets: bound, non-blocking UDP sockets.
        offer: what behaviour discovery can offer with them.
        link: the other server, or None.
        description: that, in words for the operator.
    """

    sockets: tuple[socket.socket, ...]
    offer: Offer
    link: LinkOptions | None
    description: str

    def close(self) -> None:
        """Closes all."""
        for udp in self.sockets:
            udp.close()


def open_alternates(listening: Listening, options: AlternateOptions, *, asked_port: int) -> Alternates:
    """Opens what there is to open beside the first endpoint.

    Args:
        listening: the first endpoint.
        options: what was asked for.
        asked_port: the operator's first port; where it was 0, the system chooses the second one, too.

    Raises:
        AlternateRefused: an address or a port cannot be the alternate one.
    """
    first = listening.address
    pairs = [(_primary(listening, ip), ip) for ip in options.addresses]
    remote = [(_primary(listening, ip), ip) for ip in (options.server,) if ip is not None]
    _check([*pairs, *remote], first, options)
    for _, ip in pairs:
        with _open(ip, 0):
            pass  # it is an address of this machine
    with ExitStack() as stack:
        sockets = _second_port(stack, listening, options, asked_port)
        port = sockets[0].getsockname()[1] if sockets else None
        if port is not None and not first.ip.is_unspecified:
            for _, ip in pairs:
                sockets += [stack.enter_context(_open(ip, number)) for number in (first.port, port)]
        stack.pop_all()  # all are open: now they are the caller's
    offer = Offer(
        port=first.port,
        alternate_port=port,
        others={here: there for pair in pairs for here, there in (pair, pair[::-1])},
        second=frozenset(ip for _, ip in pairs),
    )
    return Alternates(
        sockets=tuple(sockets),
        offer=offer,
        link=_link(offer, options, remote),
        description=_describe(offer, pairs),
    )


def _primary(listening: Listening, alternate: IPAddress) -> IPAddress:
    """The first address that belongs to an alternate one, which has its family."""
    first = listening.address.ip
    if not first.is_unspecified:
        return first
    if first.version == 4 != alternate.version:
        return first  # nobody listens on IPv6 at all; _check() says so
    found = own_address(alternate.version)
    if found is None:
        reason = f"this machine has no other IPv{alternate.version} address that is routed"
        raise AlternateRefused(what=str(alternate), reason=reason)
    return found


def _check(
    pairs: list[tuple[IPAddress, IPAddress]], first: TransportAddress, options: AlternateOptions
) -> None:
    families = [alternate.version for _, alternate in pairs]
    for primary, alternate in pairs:
        if families.count(alternate.version) > 1:
            raise AlternateRefused(what=str(alternate), reason=f"a second one of IPv{alternate.version}")
        if primary.version != alternate.version:
            reason = f"the server listens on {first.ip}, which is of another family"
            raise AlternateRefused(what=str(alternate), reason=reason)
        if primary == alternate:
            raise AlternateRefused(what=str(alternate), reason="it is the first address already")
        if alternate.is_unspecified or alternate.is_multicast:
            raise AlternateRefused(what=str(alternate), reason="it is no address of one machine")
    if options.port == first.port:
        raise AlternateRefused(what=f"port {options.port}", reason="it is the first port already")


def _second_port(
    stack: ExitStack, listening: Listening, options: AlternateOptions, asked_port: int
) -> list[socket.socket]:
    """The socket of the first address and the second port; none if that is taken and nobody needs it."""
    first = listening.address
    beside = first.port + 1 if first.port < MAX_PORT else first.port - 1
    number = options.port or (beside if asked_port else 0)
    try:
        return [stack.enter_context(_open(first.ip, number))]
    except AlternateRefused as exc:
        if options.port is not None or options.addresses or options.server is not None:
            raise
        logger.warning("! behaviour discovery goes without a second port: %s", exc)
        return []


def _link(
    offer: Offer, options: AlternateOptions, remote: list[tuple[IPAddress, IPAddress]]
) -> LinkOptions | None:
    if not remote or offer.alternate_port is None:
        return None
    local, other = (TransportAddress(ip, offer.port) for ip in remote[0])
    return LinkOptions(
        local=local,
        remote=other,
        alternate_port=offer.alternate_port,
        key=options.key,
        first_sequence=time.time_ns() // 1000,
    )


def _open(ip: IPAddress, port: int) -> socket.socket:
    try:
        return open_datagrams(ip, port)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise AlternateRefused(what=f"port {port} on {ip}", reason="it is in use") from exc
        raise AlternateRefused(what=str(ip), reason=words_of(exc)) from exc


def _describe(offer: Offer, pairs: list[tuple[IPAddress, IPAddress]]) -> str:
    if offer.alternate_port is None:
        return "behaviour discovery: none, one port"
    ports = f"ports {offer.port} and {offer.alternate_port}"
    if not pairs:
        return f"behaviour discovery: filtering by port only, one address, {ports}"
    addresses = ", ".join(f"{primary} and {alternate}" for primary, alternate in pairs)
    return f"behaviour discovery: full, {addresses}, {ports}"
