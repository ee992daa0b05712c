from __future__ import annotations

import asyncio
from typing import cast

import pytest

from natcore.address import TransportAddress
from natcore.channel import (
    DataReceived,
    MessageConfirmed,
    MessageUnconfirmed,
    PeerSession,
    SessionConfirmed,
    SessionEnded,
)
from natcore.errors import MisuseError, PeerError
from natcore.ice import CandidateType, FailureReason, Path
from peer import channel as channel_module
from peer.channel import Channel, Delivery
from peer.driver import Driver
from peer.errors import ChannelClosed, NoPath, Undelivered

PATH = Path(
    kind=CandidateType.SERVER_REFLEXIVE,
    base=TransportAddress.parse("192.168.1.10:5000"),
    local=TransportAddress.parse("203.0.113.7:40001"),
    remote=TransportAddress.parse("203.0.113.33:40002"),
    rtt=0.04,
)
CLOSED = SessionEnded(reason=None, detail="anna closed it")
SILENT = SessionEnded(reason=FailureReason.SILENCE, detail="10 checks in 3 s")


class FakeSession:
    """The part of a session that a channel looks at."""

    def __init__(self) -> None:
        self.peer = "anna"
        self.path: Path | None = None
        self.rtt: float | None = None
        self.packets_sent = 10


class FakeDriver:
    """A driver and its endpoint at once, which notes what it is asked to do."""

    def __init__(self) -> None:
        self.endpoint = self
        self.now = 1.0
        self.asked: list[object] = []
        self.misuse: MisuseError | None = None

    def send_message(self, _session: object, data: bytes, _now: float) -> int:
        if self.misuse is not None:
            raise self.misuse
        self.asked.append(data)
        return len(self.asked)

    def send_datagram(self, session: object, data: bytes, now: float) -> None:
        self.send_message(session, data, now)

    def close_session(self, _session: object, _now: float) -> None:
        self.asked.append("close")

    def transmit(self) -> None:
        self.asked.append("transmit")


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def channel(session: FakeSession, driver: FakeDriver) -> Channel:
    return Channel(cast(PeerSession, session), cast(Driver, driver))


async def test_a_message_is_sent_at_once_and_confirmed_later(channel: Channel, driver: FakeDriver) -> None:
    delivery = channel.send(b"hello")
    assert driver.asked == [b"hello", "transmit"]
    assert delivery.is_confirmed is None
    channel.handle_event(MessageConfirmed(number=1))
    await delivery
    assert delivery.is_confirmed is True


async def test_a_message_that_is_not_confirmed_raises_where_it_is_awaited(channel: Channel) -> None:
    delivery = channel.send(b"hello")
    channel.handle_event(MessageUnconfirmed(number=1))
    for _ in range(2):
        with pytest.raises(Undelivered, match="anna has not confirmed it"):
            await delivery
    assert delivery.is_confirmed is False


async def test_a_delivery_that_nobody_awaits_complains_to_nobody(channel: Channel) -> None:
    channel.send(b"hello")
    channel.handle_event(MessageUnconfirmed(number=1))
    channel.handle_event(MessageConfirmed(number=1))  # settled already
    channel.handle_event(MessageConfirmed(number=77))  # never sent by us


async def test_one_waiter_that_is_cancelled_does_not_decide_for_another() -> None:
    delivery = Delivery("anna")

    async def wait() -> None:
        await delivery

    impatient, patient = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)  # both are waiting now
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    delivery.settle(confirmed=True)
    await patient


@pytest.mark.parametrize("verb", ["send", "send_datagram"])
async def test_a_payload_may_have_1200_bytes_and_no_more(
    channel: Channel, driver: FakeDriver, verb: str
) -> None:
    getattr(channel, verb)(b"x" * 1200)
    with pytest.raises(PeerError, match="payload: got 1201 bytes, expected at most 1200"):
        getattr(channel, verb)(b"x" * 1201)
    assert len(driver.asked) == 2


@pytest.mark.parametrize("verb", ["send", "send_datagram"])
async def test_what_the_core_takes_as_misuse_is_a_peer_error(
    channel: Channel, driver: FakeDriver, verb: str
) -> None:
    driver.misuse = MisuseError("1000 messages are waiting already")
    with pytest.raises(PeerError, match="1000 messages are waiting already"):
        getattr(channel, verb)(b"x")


async def test_payloads_are_read_in_order_and_to_the_last_after_the_end(channel: Channel) -> None:
    for payload in (b"one", b"", b"three"):
        channel.handle_event(DataReceived(payload=payload))
    channel.handle_event(CLOSED)
    assert [data async for data in channel] == [b"one", b"", b"three"]
    with pytest.raises(ChannelClosed, match="the channel with anna is closed: anna closed it"):
        await channel.receive()


async def test_a_reader_that_waits_is_woken_by_data_and_by_the_end(channel: Channel) -> None:
    reader = asyncio.create_task(channel.receive())
    await asyncio.sleep(0)  # it waits now
    channel.handle_event(DataReceived(payload=b"one"))
    assert await reader == b"one"
    reader = asyncio.create_task(channel.receive())
    await asyncio.sleep(0)  # it waits now
    channel.handle_event(CLOSED)
    with pytest.raises(ChannelClosed):
        await reader


async def test_a_reader_that_does_not_read_costs_bounded_memory(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "MAX_UNREAD", 2)
    for payload in (b"one", b"two", b"three"):
        channel.handle_event(DataReceived(payload=payload))
    channel.handle_event(CLOSED)
    assert [data async for data in channel] == [b"one", b"two"]
    assert channel.unread_dropped == 1


async def test_everybody_who_waits_for_the_path_gets_it(channel: Channel, session: FakeSession) -> None:
    waiting = [asyncio.create_task(channel.confirmed()) for _ in range(2)]
    await asyncio.sleep(0)  # both wait now
    session.path = PATH
    channel.handle_event(SessionConfirmed(path=PATH))
    assert [await one for one in waiting] == [PATH, PATH]


async def test_a_channel_that_never_had_a_path_says_why(channel: Channel) -> None:
    channel.handle_event(SILENT)
    with pytest.raises(NoPath) as caught:
        await channel.confirmed()
    assert caught.value.packets_sent == 10
    assert str(caught.value) == f"no direct path to anna: {FailureReason.SILENCE.value} (10 checks in 3 s)"


async def test_a_channel_that_was_closed_before_it_had_a_path_says_who(channel: Channel) -> None:
    channel.handle_event(CLOSED)
    with pytest.raises(ChannelClosed, match="anna closed it"):
        await channel.confirmed()


async def test_path_and_rtt_can_still_be_asked_for_after_the_end(
    channel: Channel, session: FakeSession
) -> None:
    assert (channel.path, channel.rtt) == (None, None)
    session.path, session.rtt = PATH, 0.03
    channel.handle_event(SessionConfirmed(path=PATH))
    assert (channel.path, channel.rtt) == (PATH, 0.03)
    session.path = session.rtt = None
    channel.handle_event(CLOSED)
    assert (channel.path, channel.rtt) == (PATH, 0.04)
    assert channel.closing_detail == "anna closed it"


async def test_leaving_the_block_closes_once(channel: Channel, driver: FakeDriver) -> None:
    async with channel:
        pass
    assert driver.asked == ["close", "transmit"]
    channel.handle_event(CLOSED)
    channel.close()
    assert driver.asked == ["close", "transmit"]
    await channel.closed()
