from __future__ import annotations

import socket
from contextlib import closing

import pytest

from natcore.address import TransportAddress
from rendezvous.errors import CannotListen, PortInUse
from rendezvous.exit_codes import ExitCode
from rendezvous.listening import listen, primary_address


def test_port_0_gives_tcp_and_udp_the_same_free_number() -> None:
    with closing(listen("127.0.0.1", 0)) as listening:
        assert listening.tcp.getsockname() == listening.udp.getsockname()
        assert listening.address.to_sockaddr() == listening.tcp.getsockname()
        assert listening.address.port != 0


def test_a_name_of_this_machine_is_resolved() -> None:
    with closing(listen("localhost", 0)) as listening:
        assert listening.address.ip.is_loopback


def test_a_second_server_on_the_port_is_told_so() -> None:
    with closing(listen("127.0.0.1", 0)) as listening:
        port = listening.address.port
        with pytest.raises(PortInUse) as caught:
            listen("127.0.0.1", port)
    assert str(caught.value) == f"port {port} on 127.0.0.1 is in use; choose another with --port"
    assert caught.value.exit_code is ExitCode.PORT_IN_USE


def test_a_taken_udp_port_leaves_no_tcp_socket_behind() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse):
            listen("127.0.0.1", port)
    with closing(listen("127.0.0.1", port)) as listening:
        assert listening.address.port == port


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(CannotListen) as caught:
        listen("203.0.113.99", 0)
    assert caught.value.exit_code is ExitCode.CANNOT_LISTEN
    assert "choose another with --host" in str(caught.value)


def test_the_primary_address_of_one_address_is_that_one() -> None:
    assert str(primary_address(TransportAddress.parse("203.0.113.10:10080"))) == "203.0.113.10"


def test_the_primary_address_of_all_addresses_is_one_of_them() -> None:
    found = primary_address(TransportAddress.parse("0.0.0.0:10080"))
    assert found.version == 4
    assert not found.is_unspecified
