"""The chat: @-commands typed by a person, lines that travel from peer to peer and never through the server.

Every line that the person types has a visible end: delivered, or not and why. Whatever the network sends is
escaped before it is shown.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, assert_never

from natcore.address import ReflexiveAddress
from natcore.channel import MAX_PAYLOAD_SIZE
from natcore.control.messages import Change, Status
from natcore.endpoint import Awoke, ClientsChanged, WakingFailed
from natcore.errors import PeerError
from peer.channel import Channel
from peer.check.run import CheckOptions, check
from peer.check.show import headline
from peer.console import Console
from peer.conversation import Conversation, Outcome
from peer.errors import AwakeFailed
from peer.events import NodeEvent, PathFound, PathLost, ServerBack, ServerLost, ServerRefuses
from peer.node import Node
from peer.text import decoded, printable
from peer.why import explain

MAX_CONVERSATIONS = 256
"""Peers that one chat talks to; bounded by what a person can follow, and by sessions of a node."""

FLUSH_TIMEOUT = 5.0
"""Seconds that leaving waits for lines under way, and for a check of the NAT."""

_CHANGE_TEXT = {
    Change.REGISTERED: "is here, Asleep",
    Change.AWAKE: "is Awake",
    Change.MOVED: "is Awake at another public endpoint",
    Change.UNREGISTERED: "has left",
    Change.DISCONNECTED: "is disconnected",
}


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table of @-commands.

    Attributes:
        usage: how it is typed.
        help: what it does, one line.
        run: gets the chat and what was typed after the command.
    """

    usage: str
    help: str
    run: Callable[[Chat, str], Awaitable[None]]


class Chat:
    """One person's chat over an entered node."""

    def __init__(self, node: Node, console: Console) -> None:
        self._node = node
        self._console = console
        self._conversations: dict[str, Conversation] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._tasks = asyncio.TaskGroup()
        self._background: set[asyncio.Task[None]] = set()
        self._told_address: ReflexiveAddress | None = None
        self._told_trouble: str | None = None
        self._is_leaving = False
        self._nat_check: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Talks until the person leaves: ``@exit``, ctrl-D, ctrl-C or the end of the input."""
        self._show(f"registered as {self._node.id} at {self._node.server}; @help shows the commands")
        await self._show_list("")
        async with self._tasks:
            self._in_background(self._watch_node())
            self._in_background(self._welcome_channels())
            try:
                await self._read_lines()
                await self._flush()
            finally:
                self._stop_conversations()
                for task in self._background:
                    task.cancel()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._tasks.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # --- commands ----------------------------------------------------------------------------------------

    async def _read_lines(self) -> None:
        while not self._is_leaving:
            line = await self._console.next_line()
            if line is None:
                return
            await self._obey(line.strip())

    async def _obey(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        command = COMMANDS.get(word.lower())
        if command is not None:
            await command.run(self, rest.strip())
        elif word.startswith("@"):
            near = get_close_matches(word.lower(), COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else "@help shows the commands"
            self._show(f"{printable(word)[:40]}: no such command; {hint}")
        elif line:
            self._show("nothing sent: write @chat ID TEXT, or @help for all commands")

    async def _awake(self, _rest: str) -> None:
        try:
            self._show_address(await self._node.awake())
        except AwakeFailed:
            pass  # the event of it has been told
        except PeerError as exc:
            self._show(printable(str(exc)))

    async def _show_list(self, _rest: str) -> None:
        clients = dict(self._node.clients)
        self._show(f"{len(clients)} registered{self._outdated()}:")
        for client, status in clients.items():
            own = " (you)" if client == self._node.id else ""
            self._show(f"  {client:<32} {status.value}{own}")

    async def _chat(self, rest: str) -> None:
        peer, _, text = rest.partition(" ")
        text = text.strip()
        length = len(text.encode())
        if not peer or not text:
            self._show("usage: @chat ID TEXT")
        elif length > MAX_PAYLOAD_SIZE:
            self._show(f"not sent: got {length} bytes, expected at most {MAX_PAYLOAD_SIZE}")
        elif peer == self._node.id:
            self._show("not sent: that is you")
        elif (conversation := self._conversation_with(peer)) is None:
            self._show(f"not sent: you talk to {MAX_CONVERSATIONS} peers already")
        elif not conversation.say(text):
            self._show(f"not sent: too many lines to {printable(peer)} are waiting")

    async def _nat(self, _rest: str) -> None:
        if self._nat_check is not None and not self._nat_check.done():
            self._show("a check of your NAT is running already")
            return
        self._show("looking at your NAT...")
        self._nat_check = self._in_background(self._show_nat())

    async def _show_nat(self) -> None:
        try:
            report = await check(CheckOptions(servers=(self._node.server,)))
        except PeerError as exc:
            self._show(printable(str(exc)))
            return
        except asyncio.CancelledError:
            self._show("no result: you left before the check of your NAT was over")
            raise
        for line in headline(report):
            self._show(line)

    async def _why(self, rest: str) -> None:
        peer = rest.partition(" ")[0]
        if not peer:
            self._show("usage: @why ID")
        elif peer == self._node.id:
            self._show("that is you: there is no path to yourself; @nat shows whom you can reach")
        elif (evidence := self._node.evidence(peer)) is None:
            self._show(self._untried(peer))
        else:
            for sentence in explain(evidence):
                self._show(sentence)

    def _untried(self, peer: str) -> str:
        """What can be said of a peer before anything was tried."""
        name = printable(peer)[:40]
        status = self._node.clients.get(peer)
        if status is None:
            hint = "nobody of that name is registered; @show_list shows who is"
        else:
            before = ", once it has typed @awake" if status is Status.ASLEEP else ""
            hint = f"it is registered and {status.value}; @chat {name} TEXT looks for one{before}"
        return f"{name}: no path was looked for yet; {hint}{self._outdated()}"

    def _outdated(self) -> str:
        """What to say after anything from the list of clients."""
        return "" if self._node.is_registered else " (as of when the server was lost)"

    async def _help(self, _rest: str) -> None:
        for command in COMMANDS.values():
            self._show(f"  {command.usage:<16} {command.help}")

    async def _exit(self, _rest: str) -> None:
        self._is_leaving = True

    # --- conversations -----------------------------------------------------------------------------------

    def _conversation_with(self, peer: str) -> Conversation | None:
        conversation = self._conversations.get(peer)
        if conversation is None and self._make_room():
            conversation = Conversation(self._node, peer, self._report)
            self._conversations[peer] = conversation
            self._senders[peer] = self._in_background(conversation.run(self._hear))
        return conversation

    def _make_room(self) -> bool:
        """Forgets an idle conversation where there are too many; False where all of them are needed."""
        if len(self._conversations) < MAX_CONVERSATIONS:
            return True
        idle = next((peer for peer, one in self._conversations.items() if one.is_idle), None)
        if idle is None:
            return False
        del self._conversations[idle]
        self._senders.pop(idle).cancel()
        return True

    def _report(self, conversation: Conversation, outcome: Outcome) -> None:
        peer, text = printable(conversation.peer), printable(outcome.text)
        if not outcome.is_final:
            self._show(f"still waiting for {peer} to confirm [{text}]")
        elif outcome.failure is not None:
            self._show(f"not delivered to {peer} [{text}]: {printable(outcome.failure)}")
        else:
            self._show(f"delivered to {peer} [{text}]")

    def _hear(self, channel: Channel) -> None:
        self._in_background(self._show_incoming(channel))

    async def _welcome_channels(self) -> None:
        while True:
            channel = await self._node.accept()
            conversation = self._conversation_with(channel.peer)
            if conversation is None:
                channel.close()
                continue
            conversation.adopt(channel)
            self._hear(channel)

    async def _show_incoming(self, channel: Channel) -> None:
        async for payload in channel:
            self._show(f"From {channel.peer} [{printable(decoded(payload))}]")

    async def _flush(self) -> None:
        """Gives what is under way its time, and says so before the person wonders."""
        under_way = []
        if undecided := sum(conversation.undecided for conversation in self._conversations.values()):
            lines = "1 line" if undecided == 1 else f"{undecided} lines"
            under_way.append(f"{lines} to be confirmed")
        waiting: list[Awaitable[None]] = [one.drained() for one in self._conversations.values()]
        if self._nat_check is not None and not self._nat_check.done():
            under_way.append("the check of your NAT")
            waiting.append(self._nat_check)
        if under_way:
            what = " and ".join(under_way)
            self._show(f"waiting up to {FLUSH_TIMEOUT:.0f} s for {what}; ctrl-C leaves at once")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await asyncio.gather(*waiting)

    def _stop_conversations(self) -> None:
        for conversation in self._conversations.values():
            for text in conversation.stop():
                self._report(conversation, Outcome(text, "you left before it was confirmed"))

    # --- what happens meanwhile --------------------------------------------------------------------------

    async def _watch_node(self) -> None:
        while True:
            self._show_event(await self._node.next_event())

    def _show_event(self, event: NodeEvent) -> None:
        match event:
            case ClientsChanged():
                self._show_change(event)
            case Awoke():
                if event.address != self._told_address:
                    self._show_address(event.address)
            case WakingFailed():
                self._show(f"the server does not see your datagrams: {event.reason}")
            case PathLost():
                self._show(f"the path to {event.peer} is lost ({event.reason}); looking for another")
            case PathFound():
                self._show(f"there is a path to {event.peer} again")
            case _:
                self._show_server_event(event)

    def _show_server_event(self, event: ServerLost | ServerBack | ServerRefuses) -> None:
        match event:
            case ServerLost():
                if self._told_trouble is None:  # every further attempt would say the same
                    self._show_trouble(
                        f"the server is gone ({printable(event.reason)}); trying again until it is back; "
                        "open channels live on"
                    )
            case ServerBack():
                self._told_trouble = None
                self._show(f"the server is back; registered as {self._node.id} again")
            case ServerRefuses():
                self._show_trouble(
                    f"the server is back but refuses {self._node.id}: {printable(event.reason)}; trying again"
                )
            case _:
                assert_never(event)

    def _show_trouble(self, line: str) -> None:
        if line != self._told_trouble:
            self._show(line)
        self._told_trouble = line

    def _show_address(self, address: ReflexiveAddress) -> None:
        self._told_address = address
        self._show(f"you are Awake; the server sees you at {address}")

    def _show_change(self, event: ClientsChanged) -> None:
        change = event.change
        if change.change is Change.REGISTERED and change.id in self._conversations:
            self._conversations[change.id].doubt()
        if change.id == self._node.id and event.status is Status.AWAKE:
            return  # our own waking is told by the answer to it
        reason = f" ({printable(change.reason)})" if change.reason else ""
        self._show(f"{change.id} {_CHANGE_TEXT[change.change]}{reason}")

    def _show(self, line: str) -> None:
        self._console.show(line)


COMMANDS = {
    "@awake": Command("@awake", "let the server learn your UDP endpoint", Chat._awake),
    "@show_list": Command("@show_list", "show who is registered", Chat._show_list),
    "@chat": Command("@chat ID TEXT", "send TEXT to ID, directly", Chat._chat),
    "@why": Command("@why ID", "say which path leads to ID, or why none, and what would help", Chat._why),
    "@nat": Command("@nat", "show what your NAT does and whom you can reach", Chat._nat),
    "@help": Command("@help", "show these commands", Chat._help),
    "@exit": Command("@exit", "unregister and leave", Chat._exit),
}
"""What can be typed, by its first word in lower case; a person may type it in any."""
