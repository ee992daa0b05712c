from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Self, cast

import pytest

from natcore.control.messages import FaultCode
from peer import chat as chat_module
from peer.chat import Chat
from peer.console import Console
from peer.errors import PeerUnavailable
from peer.node import Node


class FakeNode:
    """Nobody is ever there."""

    id = "elsa"
    server = "192.0.2.1:10080"
    clients: dict[str, object]
    is_registered = True

    def __init__(self) -> None:
        self.clients = {}

    async def connect(self, peer: str, *, early_data: bytes) -> None:
        raise PeerUnavailable(peer=peer, code=FaultCode.UNKNOWN_CLIENT, reason="nobody there")

    async def accept(self) -> None:
        await asyncio.Event().wait()

    async def next_event(self) -> None:
        await asyncio.Event().wait()


class ScriptedConsole:
    """Types each line when the one before has had its outcome."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.shown: list[str] = []
        self._lines = lines
        self._outcome = asyncio.Event()
        self._outcome.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return None

    async def ask(self, question: str) -> str | None:
        return None

    async def next_line(self) -> str | None:
        await self._outcome.wait()
        self._outcome.clear()
        return next(self._lines, None)

    def show(self, line: str) -> None:
        self.shown.append(line)
        if line.startswith("not "):
            self._outcome.set()


async def test_talking_to_many_forgets_those_with_whom_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chat_module, "MAX_CONVERSATIONS", 2)
    console = ScriptedConsole(f"@chat peer{number} hello" for number in range(5))
    await Chat(cast(Node, FakeNode()), cast(Console, console)).run()
    assert [line for line in console.shown if line.startswith("not ")] == [
        f"not delivered to peer{number} [hello]: cannot reach peer{number}: nobody there"
        for number in range(5)
    ]
