"""The library: nodes in one program, with a real server on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

import peer
from natcore.control.messages import FaultCode, Status
from peer import forwarding
from peer.link import ServerLink
from peer.portmapping import Gateway, mapper
from peer.server_address import ServerAddress
from tests.integration.fake_gateway import FakeGateway, serving
from tests.integration.processes import PATIENCE, Rendezvous


@pytest.fixture(scope="module")
def server() -> Iterator[Rendezvous]:
    with Rendezvous() as running:
        yield running


async def until(node: peer.Node, clients: dict[str, Status]) -> None:
    while dict(node.clients) != clients:
        await node.next_event()


BOTH_AWAKE = {"elsa": Status.AWAKE, "anna": Status.AWAKE}


@asynccontextmanager
async def two_nodes(server: Rendezvous) -> AsyncIterator[tuple[peer.Node, peer.Node]]:
    """Elsa and anna, both Awake, and each told so of the other."""
    async with (
        asyncio.timeout(PATIENCE),
        peer.Node("elsa", server.address) as elsa,
        peer.Node("anna", server.address) as anna,
    ):
        await elsa.awake()
        await anna.awake()
        await until(elsa, BOTH_AWAKE)
        await until(anna, BOTH_AWAKE)
        yield elsa, anna


async def joined(a: peer.Node, b: peer.Node) -> tuple[peer.Channel, peer.Channel]:
    """A channel from ``a`` to ``b``, and its other end."""
    ours, theirs = await asyncio.gather(a.connect(b.id), b.accept())
    await theirs.confirmed()
    return ours, theirs


async def test_a_channel_has_a_path_and_carries_payloads_both_ways(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        ours, theirs = await joined(elsa, anna)
        await ours.send(b"to anna")
        assert await theirs.receive() == b"to anna"
        await theirs.send(b"to elsa")
        assert await ours.receive() == b"to elsa"
        assert ours.path is not None
        assert theirs.path is not None
        assert (ours.path.local, ours.path.remote) == (theirs.path.remote, theirs.path.local)
        assert ours.rtt is not None
        assert 0 < ours.rtt < 1
        assert (ours.peer, theirs.peer) == ("anna", "elsa")


async def test_both_sides_may_connect_at_once(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        from_elsa, from_anna = await asyncio.gather(elsa.connect("anna"), anna.connect("elsa"))
        at_elsa, at_anna = await asyncio.gather(elsa.accept(), anna.accept())
        for sender, receiver in ((from_elsa, at_anna), (from_anna, at_elsa)):
            await sender.send(b"mine")
            assert await receiver.receive() == b"mine"


async def test_two_channels_to_one_peer_keep_their_payloads_apart(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        first, second = [await joined(elsa, anna) for _ in range(2)]
        await asyncio.gather(first[0].send(b"first"), second[0].send(b"second"))
        assert await second[1].receive() == b"second"
        assert await first[1].receive() == b"first"
        first[0].close()
        await first[1].closed()
        await second[0].send(b"still there")
        assert await second[1].receive() == b"still there"


async def test_messages_arrive_in_order_and_once(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        ours, theirs = await joined(elsa, anna)
        deliveries = [ours.send(b"%d" % number) for number in range(200)]
        assert [await theirs.receive() for _ in range(200)] == [b"%d" % number for number in range(200)]
        for delivery in deliveries:
            await delivery
        assert all(delivery.is_confirmed for delivery in deliveries)


async def test_datagrams_arrive_whole_and_are_not_confirmed(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        ours, theirs = await joined(elsa, anna)
        for payload in (b"", b"x", b"y" * 1200):
            ours.send_datagram(payload)
            assert await theirs.receive() == payload
        with pytest.raises(peer.PeerError, match="got 1201 bytes, expected at most 1200"):
            ours.send_datagram(b"z" * 1201)


async def test_iterating_ends_when_the_peer_closes(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        ours, theirs = await joined(elsa, anna)
        async with ours:
            await ours.send(b"one")
            await ours.send(b"two")
        assert [data async for data in theirs] == [b"one", b"two"]
        assert not theirs.is_open
        assert theirs.path is not None


async def test_a_channel_that_has_ended_says_so_to_every_verb(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        ours, theirs = await joined(elsa, anna)
        theirs.close()
        await ours.closed()
        for channel in (ours, theirs):
            with pytest.raises(peer.ChannelClosed, match=r"the channel with \w+ is closed: "):
                channel.send(b"late")
            with pytest.raises(peer.ChannelClosed):
                channel.send_datagram(b"late")
            with pytest.raises(peer.ChannelClosed):
                await channel.receive()
            channel.close()  # once more is nothing


async def test_what_was_on_its_way_when_the_channel_ended_is_unconfirmed(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        ours, _theirs = await joined(elsa, anna)
        delivery = ours.send(b"too late")
        ours.close()
        with pytest.raises(peer.Undelivered, match="anna has not confirmed it"):
            await delivery
        assert delivery.is_confirmed is False


async def test_early_data_arrives_with_the_first_checks_and_is_confirmed(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        ours, theirs = await asyncio.gather(elsa.connect("anna", early_data=b"early"), anna.accept())
        assert await theirs.receive() == b"early"
        assert ours.first_delivery is not None
        await ours.first_delivery
        with pytest.raises(peer.PeerError, match="got 1201 bytes"):
            await elsa.connect("anna", early_data=b"x" * 1201)


async def test_connect_wakes_a_node_that_is_asleep(server: Rendezvous) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        peer.Node("elsa", server.address) as elsa,
        peer.Node("anna", server.address) as anna,
    ):
        with pytest.raises(peer.PeerUnavailable, match="asleep") as caught:
            await elsa.connect("anna")
        assert caught.value.code is FaultCode.CLIENT_ASLEEP
        assert elsa.reflexive_address is not None
        await anna.awake()
        await until(elsa, BOTH_AWAKE)
        await joined(elsa, anna)


async def test_a_peer_that_nobody_knows_is_unavailable(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, _anna):
        for name in ("nobody", "no such/id"):
            with pytest.raises(peer.PeerUnavailable) as caught:
                await elsa.connect(name)
            assert caught.value.code is FaultCode.UNKNOWN_CLIENT


async def test_an_id_that_is_taken_or_invalid_is_refused(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        for name, code in (("anna", FaultCode.DUPLICATE_ID), ("a/b", FaultCode.INVALID_ID)):
            with pytest.raises(peer.RegistrationFailed) as caught:
                async with peer.Node(name, server.address):
                    pytest.fail("it was entered")
            assert caught.value.code is code
        await joined(elsa, anna)


async def test_the_list_of_clients_follows_what_happens(server: Rendezvous) -> None:
    async with asyncio.timeout(PATIENCE), peer.Node("elsa", server.address) as elsa:
        async with peer.Node("anna", server.address) as anna:
            await until(elsa, {"elsa": Status.ASLEEP, "anna": Status.ASLEEP})
            await anna.awake()
            await until(elsa, {"elsa": Status.ASLEEP, "anna": Status.AWAKE})
        await until(elsa, {"elsa": Status.ASLEEP})


async def standing(node: peer.Node, *, registered: bool) -> None:
    while node.is_registered is not registered:
        await node.next_event()


async def test_a_connect_that_is_cancelled_leaves_the_way_free_for_the_next(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        attempt = asyncio.create_task(elsa.connect("anna"))
        await asyncio.sleep(0)  # far enough to have asked the server
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        ours = await elsa.connect("anna", early_data=b"the second")
        # The cancelled one was introduced as well, perhaps before the second was asked for.
        channels = [await anna.accept() for _ in range(2)]
        arrivals = [asyncio.create_task(first_payload(channel)) for channel in channels]
        done, pending = await asyncio.wait(arrivals, return_when=asyncio.FIRST_COMPLETED)
        assert [arrival.result() for arrival in done] == [b"the second"]
        for arrival in pending:
            arrival.cancel()
        assert ours.is_open


async def first_payload(channel: peer.Channel) -> bytes | None:
    async for data in channel:
        return data
    return None


async def test_a_second_connect_while_the_first_is_pending_is_refused(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, _anna):
        results = await asyncio.gather(elsa.connect("anna"), elsa.connect("anna"), return_exceptions=True)
        assert isinstance(results[0], peer.Channel)
        assert isinstance(results[1], peer.PeerError)
        assert "asked for already" in str(results[1])


async def test_a_timeout_that_is_too_short_is_told_with_what_was_missing(server: Rendezvous) -> None:
    async with two_nodes(server) as (elsa, anna):
        with pytest.raises(peer.ServerUnreachable, match="has not introduced us to anna in 0 s"):
            await elsa.connect("anna", timeout=0)
        await joined(elsa, anna)


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peer.node.REGISTER_TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "{}:{}".format(*silent.getsockname())
        with pytest.raises(peer.ServerUnreachable, match="accepts the connection but has not answered"):
            async with peer.Node("elsa", address):
                pytest.fail("it was entered")


async def test_a_node_that_has_not_been_entered_says_how_to(server: Rendezvous) -> None:
    node = peer.Node("elsa", server.address)
    with pytest.raises(peer.PeerError, match="use `async with Node"):
        await node.connect("anna")


async def test_leaving_a_node_closes_its_channels_at_the_peer(server: Rendezvous) -> None:
    async with asyncio.timeout(PATIENCE), peer.Node("anna", server.address) as anna:
        await anna.awake()
        async with peer.Node("elsa", server.address) as elsa:
            await elsa.awake()
            await until(elsa, BOTH_AWAKE)
            ours, theirs = await joined(elsa, anna)
        assert not ours.is_open
        await theirs.closed()
        await until(anna, {"anna": Status.AWAKE})


async def test_an_error_in_the_body_comes_out_as_it_is(server: Rendezvous) -> None:
    with pytest.raises(ZeroDivisionError):
        async with peer.Node("elsa", server.address):
            raise ZeroDivisionError


async def test_a_lost_connection_comes_back_and_channels_never_notice(
    server: Rendezvous, monkeypatch: pytest.MonkeyPatch
) -> None:
    links: list[ServerLink] = []

    def remembered(address: ServerAddress) -> ServerLink:
        links.append(ServerLink(address))
        return links[-1]

    monkeypatch.setattr("peer.node.ServerLink", remembered)
    async with two_nodes(server) as (elsa, anna):
        ours, theirs = await joined(elsa, anna)
        links[0].cut()
        await standing(elsa, registered=False)
        await ours.send(b"meanwhile")
        assert await theirs.receive() == b"meanwhile"
        await standing(elsa, registered=True)
        await elsa.awake()
        await until(anna, BOTH_AWAKE)
        assert ours.is_open


# --- port mapping -------------------------------------------------------------------------------------------


async def test_on_loopback_no_gateway_is_asked(server: Rendezvous, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*args: object) -> Gateway:
        pytest.fail("a gateway was looked for")

    monkeypatch.setattr(mapper, "find_gateway", ask)
    async with peer.Node("elsa", server.address) as node:
        await node.awake()
        assert node.mapped_address is None


@asynccontextmanager
async def asked_gateway(monkeypatch: pytest.MonkeyPatch, fake: FakeGateway) -> AsyncIterator[None]:
    """Loopback counts as a home network whose gateway is the fake."""
    async with serving(fake) as gateway:
        monkeypatch.setattr(forwarding, "may_be_behind_nat", lambda own: True)
        monkeypatch.setattr(mapper, "find_gateway", lambda own: gateway)
        yield


async def test_where_the_server_sees_no_nat_no_port_stays_mapped(
    server: Rendezvous, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeGateway(speaks_natpmp=True)
    async with asked_gateway(monkeypatch, fake):
        async with peer.Node("elsa", server.address) as node:
            await node.awake()
        assert fake.mapped == {}
        assert node.mapped_address is None


async def test_who_wants_no_mapping_asks_nobody(server: Rendezvous, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeGateway(speaks_natpmp=True)
    async with asked_gateway(monkeypatch, fake):
        config = peer.NodeConfig(port_mapping=False)
        async with peer.Node("elsa", server.address, config=config) as node:
            await node.awake()
    assert fake.asked == []


async def test_a_defect_in_port_mapping_does_not_end_the_node(
    server: Rendezvous, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(own: object) -> Gateway:
        raise RuntimeError("out of cheese")

    monkeypatch.setattr(forwarding, "may_be_behind_nat", lambda own: True)
    monkeypatch.setattr(mapper, "find_gateway", broken)
    async with two_nodes(server) as (elsa, anna):
        await joined(elsa, anna)
    assert "out of cheese" in caplog.text
