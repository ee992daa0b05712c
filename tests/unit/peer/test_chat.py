from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Self, cast

import pytest

from natcore.control.messages import FaultCode, Status
from natcore.errors import PeerError
from peer import chat as chat_module
from peer.chat import Chat
from peer.console import Console
from peer.errors import PeerUnavailable
from peer.node import Node


class FakeNode:
    """Nobody is ever there."""

    id = "elsa"
    server = "192.0.2.1:10080"
    is_registered = True

    def __init__(self, **clients: Status) -> None:
        self.clients = clients

    def evidence(self, peer: str) -> None:
        return None

    async def connect(self, peer: str, *, early_data: bytes) -> None:
        raise PeerUnavailable(peer=peer, code=FaultCode.UNKNOWN_CLIENT, reason="nobody there")

    async def accept(self) -> None:
        await asyncio.Event().wait()

    async def next_event(self) -> None:
        await asyncio.Event().wait()


class ScriptedConsole:
    """Types each line when the one before has had its outcome, which is a line that begins so."""

    def __init__(self, lines: Iterable[str], *, outcome: str = "") -> None:
        self.shown: list[str] = []
        self._lines = iter(lines)
        self._begin = outcome
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
        if line.startswith(self._begin):
            self._outcome.set()


async def talk(node: FakeNode, console: ScriptedConsole) -> list[str]:
    """What is shown until the chat has ended."""
    await Chat(cast(Node, node), cast(Console, console)).run()
    return console.shown


async def test_talking_to_many_forgets_those_with_whom_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chat_module, "MAX_CONVERSATIONS", 2)
    console = ScriptedConsole((f"@chat peer{number} hello" for number in range(5)), outcome="not ")
    await talk(FakeNode(), console)
    assert [line for line in console.shown if line.startswith("not ")] == [
        f"not delivered to peer{number} [hello]: cannot reach peer{number}: nobody there"
        for number in range(5)
    ]


@pytest.mark.parametrize("last", [["@nat"], ["@nat", "@exit"]])
async def test_leaving_waits_for_the_check_of_the_nat(
    last: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(_options: object) -> None:
        await asyncio.sleep(0)
        raise PeerError("it was seen to the end")

    monkeypatch.setattr(chat_module, "check", check)
    shown = await talk(FakeNode(), ScriptedConsole(last))
    assert shown[-2].startswith("waiting up to 5 s for the check of your NAT")
    assert shown[-1] == "it was seen to the end"


async def test_a_check_of_the_nat_that_takes_too_long_is_said_to_have_no_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check(_options: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(chat_module, "check", check)
    monkeypatch.setattr(chat_module, "FLUSH_TIMEOUT", 0.01)
    shown = await talk(FakeNode(), ScriptedConsole(["@nat"]))
    assert shown[-1] == "no result: you left before the check of your NAT was over"


@pytest.mark.parametrize("is_registered", [True, False])
@pytest.mark.parametrize(
    ("peer", "told"),
    [
        ("anna", "it is registered and Awake; @chat anna TEXT looks for one"),
        ("bob", "it is registered and Asleep; @chat bob TEXT looks for one, once it has typed @awake"),
        ("eve", "nobody of that name is registered; @show_list shows who is"),
    ],
)
async def test_why_of_who_was_never_tried_says_what_to_do(peer: str, told: str, is_registered: bool) -> None:
    node = FakeNode(anna=Status.AWAKE, bob=Status.ASLEEP)
    node.is_registered = is_registered
    shown = await talk(node, ScriptedConsole([f"@why {peer}"]))
    outdated = "" if is_registered else " (as of when the server was lost)"
    assert shown[-1] == f"{peer}: no path was looked for yet; {told}{outdated}"


async def test_why_of_oneself_says_so() -> None:
    shown = await talk(FakeNode(), ScriptedConsole(["@why elsa"]))
    assert shown[-1] == "that is you: there is no path to yourself; @nat shows whom you can reach"


@pytest.mark.parametrize("typed", ["@HELP", "@Help"])
async def test_commands_may_be_typed_in_any_case(typed: str) -> None:
    assert "  @exit            unregister and leave" in await talk(FakeNode(), ScriptedConsole([typed]))


async def test_the_nearest_command_is_found_in_any_case() -> None:
    shown = await talk(FakeNode(), ScriptedConsole(["@SHOW_LST"]))
    assert shown[-1] == "@SHOW_LST: no such command; did you mean @show_list?"
