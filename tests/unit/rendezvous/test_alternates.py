from __future__ import annotations

import socket
from contextlib import closing
from ipaddress import ip_address

import pytest

from natcore.address import TransportAddress
from rendezvous.alternates import AlternateOptions, open_alternates
from rendezvous.errors import AlternateRefused
from rendezvous.exit_codes import ExitCode
from rendezvous.listening import listen

FIRST, SECOND = ip_address("127.0.0.1"), ip_address("127.0.0.2")


def test_one_address_opens_a_second_port_that_is_free() -> None:
    with (
        closing(listen("127.0.0.1", 0)) as listening,
        closing(open_alternates(listening, AlternateOptions(), asked_port=0)) as alternates,
    ):
        (udp,) = alternates.sockets
        assert alternates.offer.port == listening.address.port
        assert ("127.0.0.1", alternates.offer.alternate_port) == udp.getsockname()
        assert alternates.offer.others == {}
        assert alternates.description.startswith("behaviour discovery: filtering by port only")


def test_two_addresses_open_all_four_endpoints() -> None:
    options = AlternateOptions(addresses=(SECOND,))
    with (
        closing(listen("127.0.0.1", 0)) as listening,
        closing(open_alternates(listening, options, asked_port=0)) as alternates,
    ):
        offer = alternates.offer
        opened = {TransportAddress.from_sockaddr(udp.getsockname()) for udp in alternates.sockets}
        assert opened | {listening.address} == {
            TransportAddress(ip, port)
            for ip in (FIRST, SECOND)
            for port in (offer.port, offer.alternate_port or 0)
        }
        assert offer.others == {FIRST: SECOND, SECOND: FIRST}
        assert offer.second == {SECOND}
        assert alternates.description.startswith("behaviour discovery: full, 127.0.0.1 and 127.0.0.2, ports")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_who_listens_everywhere_needs_one_more_socket_for_all_addresses(host: str) -> None:
    options = AlternateOptions(addresses=(SECOND,))
    with (
        closing(listen(host, 0)) as listening,
        closing(open_alternates(listening, options, asked_port=0)) as alternates,
    ):
        assert len(alternates.sockets) == 1
        assert alternates.offer.others[alternates.offer.others[SECOND]] == SECOND


def test_another_server_has_our_ports_and_its_own_address() -> None:
    options = AlternateOptions(server=SECOND, key=b"k" * 22)
    with (
        closing(listen("127.0.0.1", 0)) as listening,
        closing(open_alternates(listening, options, asked_port=0)) as alternates,
    ):
        assert alternates.link is not None
        assert alternates.link.local == listening.address
        assert alternates.link.remote == TransportAddress(SECOND, listening.address.port)
        assert alternates.link.alternate_port == alternates.offer.alternate_port
        assert alternates.offer.others == {}, "not before it is heard"
        assert "kkkk" not in repr(options)


def test_the_key_is_in_no_log() -> None:
    assert "kkkk" not in repr(AlternateOptions(key=b"k" * 22))


def test_the_second_port_cannot_be_the_first() -> None:
    with closing(listen("127.0.0.1", 0)) as listening:
        options = AlternateOptions(port=listening.address.port)
        with pytest.raises(AlternateRefused, match="it is the first port already") as caught:
            open_alternates(listening, options, asked_port=listening.address.port)
    assert caught.value.exit_code is ExitCode.CANNOT_LISTEN


def test_a_second_address_whose_port_is_taken_leaves_no_socket_behind() -> None:
    with (
        closing(listen("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken,
    ):
        taken.bind(("127.0.0.2", listening.address.port))
        options = AlternateOptions(addresses=(SECOND,))
        with pytest.raises(AlternateRefused, match=r"on 127\.0\.0\.2 as the alternate: it is in use"):
            open_alternates(listening, options, asked_port=0)
