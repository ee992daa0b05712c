from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from natcore.control.messages import FaultCode
from natcore.errors import PeerError
from peer.channel import Channel, Delivery
from peer.conversation import MAX_QUEUED, Conversation, Outcome
from peer.errors import PeerUnavailable
from peer.node import Node


class FakeChannel:
    """Confirms every message at once, unless it is told to keep silent."""

    def __init__(self, name: str, sent: list[str], *, is_silent: bool = False) -> None:
        self.name = name
        self.is_open = True
        self.first_delivery: Delivery | None = None
        self._sent = sent
        self._is_silent = is_silent

    def send(self, data: bytes) -> Delivery:
        self._sent.append(f"{self.name}: {data.decode()}")
        delivery = Delivery("anna")
        if not self._is_silent:
            delivery.settle(confirmed=True)
        return delivery


class FakeNode:
    """Connects by handing out its channels in turn; an error among them is raised."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.next: list[FakeChannel | PeerError] = []
        self.has_connected = asyncio.Event()

    def will_open(self, name: str, *, is_silent: bool = False) -> FakeChannel:
        channel = FakeChannel(name, self.sent, is_silent=is_silent)
        self.next.append(channel)
        return channel

    async def connect(self, _peer: str, *, early_data: bytes) -> FakeChannel:
        result = self.next.pop(0)
        if isinstance(result, PeerError):
            raise result
        result.first_delivery = result.send(early_data)
        self.has_connected.set()
        return result


ASLEEP = PeerUnavailable(peer="anna", code=FaultCode.CLIENT_ASLEEP, reason="anna is asleep")


class Scene:
    """A running conversation with anna, and what came out of it."""

    def __init__(self) -> None:
        self.node = FakeNode()
        self.outcomes: list[Outcome] = []
        self.opened: list[Channel] = []
        self.has_outcome = asyncio.Event()
        self.conversation = Conversation(cast(Node, self.node), "anna", self._report)

    def _report(self, _conversation: Conversation, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.has_outcome.set()

    async def say(self, *texts: str) -> None:
        for text in texts:
            assert self.conversation.say(text)
        await self.conversation.drained()


@asynccontextmanager
async def running() -> AsyncIterator[Scene]:
    scene = Scene()
    task = asyncio.create_task(scene.conversation.run(scene.opened.append))
    yield scene
    task.cancel()
    await asyncio.wait([task])


async def test_the_first_line_opens_a_channel_and_the_others_take_it() -> None:
    async with running() as scene:
        scene.node.will_open("first")
        await scene.say("one", "two", "three")
        assert scene.node.sent == ["first: one", "first: two", "first: three"]
        assert len(scene.opened) == 1
        assert scene.outcomes == [Outcome(text, None) for text in ("one", "two", "three")]


async def test_a_line_that_cannot_be_sent_has_its_reason_and_the_next_tries_anew() -> None:
    async with running() as scene:
        scene.node.next.append(ASLEEP)
        scene.node.will_open("second")
        await scene.say("one", "two")
        assert scene.outcomes == [Outcome("one", str(ASLEEP)), Outcome("two", None)]
        assert scene.node.sent == ["second: two"]


async def test_a_channel_that_the_peer_opened_is_used() -> None:
    async with running() as scene:
        scene.conversation.adopt(cast(Channel, FakeChannel("hers", scene.node.sent)))
        await scene.say("one")
        assert scene.node.sent == ["hers: one"]
        assert not scene.opened


async def test_a_channel_that_has_ended_is_replaced() -> None:
    async with running() as scene:
        first = scene.node.will_open("first")
        await scene.say("one")
        first.is_open = False
        scene.node.will_open("second")
        await scene.say("two")
        assert scene.node.sent == ["first: one", "second: two"]


async def test_a_doubtful_channel_is_replaced_while_it_is_open() -> None:
    async with running() as scene:
        scene.node.will_open("first")
        await scene.say("one")
        scene.conversation.doubt()
        scene.node.will_open("second")
        await scene.say("two", "three")
        assert scene.node.sent == ["first: one", "second: two", "second: three"]


async def test_a_doubtful_channel_gets_its_chance_where_no_other_is_to_be_had() -> None:
    async with running() as scene:
        scene.node.will_open("first")
        await scene.say("one")
        scene.conversation.doubt()
        scene.node.next.append(ASLEEP)
        await scene.say("two")
        assert scene.node.sent == ["first: one", "first: two"]
        assert scene.outcomes[-1] == Outcome("two", None)


async def test_lines_without_an_outcome_are_counted_and_handed_back_oldest_first() -> None:
    async with running() as scene:
        scene.node.will_open("deaf", is_silent=True)
        for text in ("one", "two", "three"):
            scene.conversation.say(text)
        await scene.node.has_connected.wait()
        assert scene.conversation.undecided == 3
    assert scene.conversation.stop() == ["one", "two", "three"]
    assert scene.outcomes == []


async def test_too_many_waiting_lines_are_refused_to_the_face_of_who_types() -> None:
    conversation = Scene().conversation
    assert [conversation.say("x") for _ in range(MAX_QUEUED + 1)] == [True] * MAX_QUEUED + [False]


async def test_a_connection_without_the_line_on_it_is_no_delivery() -> None:
    async with running() as scene:
        channel = scene.node.will_open("first")

        async def forgetful(_peer: str, *, early_data: bytes) -> FakeChannel:
            return channel

        scene.node.connect = forgetful  # type: ignore[method-assign] # one scene's node only
        await scene.say("one")
        [outcome] = scene.outcomes
        assert outcome.failure is not None
        assert "did not travel" in outcome.failure


@pytest.mark.parametrize("text", ["héllo", "日本", "\x1b[2J"])
async def test_text_travels_as_utf_8_and_is_reported_as_it_was_typed(text: str) -> None:
    async with running() as scene:
        scene.node.will_open("first")
        await scene.say(text)
        assert scene.node.sent == [f"first: {text}"]
        assert scene.outcomes == [Outcome(text, None)]


async def test_a_line_that_is_on_its_way_for_long_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peer.conversation.REMINDER_DELAY", 0.0)
    async with running() as scene:
        channel = scene.node.will_open("first", is_silent=True)
        assert scene.conversation.say("one")
        await scene.has_outcome.wait()
        assert channel.first_delivery is not None
        channel.first_delivery.settle(confirmed=True)
        await scene.conversation.drained()
        assert scene.outcomes == [Outcome("one", None, is_final=False), Outcome("one", None)]


async def test_a_conversation_is_idle_without_lines_and_without_an_open_channel() -> None:
    async with running() as scene:
        idle = [scene.conversation.is_idle]
        channel = scene.node.will_open("first")
        assert scene.conversation.say("one")
        idle.append(scene.conversation.is_idle)
        await scene.conversation.drained()
        idle.append(scene.conversation.is_idle)
        channel.is_open = False
        idle.append(scene.conversation.is_idle)
        assert idle == [True, False, False, True]
