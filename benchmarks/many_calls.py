"""One side of many calls at once: ``python -m benchmarks.many_calls ROLE SERVER``.

An order is a line on stdin, ``FIRST COUNT``: so many calls, numbered from FIRST. Each has a node of its own
on either side, hence fresh sockets and mappings, a new id, and credentials of its own. The answer is one line
of JSON on stdout, a list with one object a call:

==============  ============================================================================================
key             what
==============  ============================================================================================
``number``      of the call
``unprepared``  why it was never made: a node could not register, or the two did not see each other
``failed``      why there was no path, or nothing came over it
``why``         the explanation and the timeline of a call that failed
``seconds``     caller: from the decision to connect to a confirmed path
``technique``   by which the two met
``local``       our end of the path as the peer sees it
``remote``      the peer's end as we see it
==============  ============================================================================================

A call is good when both sides have a confirmed path, the callee has the caller's early payload, the caller
knows that it has, and the callee's answer has come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

from benchmarks.awake_node import UNPREPARED, awake_node
from benchmarks.contestant import PAYLOAD, Role, answer, check_payload, standard_input
from natcore.channel import TimelineEvent
from natcore.control.messages import Status
from natcore.errors import PeerError
from peer import Channel, Node
from peer.report import TECHNIQUES
from peer.why import explain

ANSWER = b"the answer"

MEETING_TIMEOUT = 60.0
"""Seconds in which the other side's node has to be Awake, and to call; three preparations take as long."""

_SELECTED = (TimelineEvent.PATH_SELECTED, TimelineEvent.PATH_MOVED)
SELECTION_LOOKS, SELECTION_INTERVAL = 250, 0.02
"""So often, so many seconds apart: five seconds in all."""

FAREWELL_TIMEOUT = 5.0
"""Seconds that a callee waits for the caller to close, so that a lost confirmation can be asked for again."""


async def _call(number: int, server: str) -> dict[str, Any]:
    callee = f"{Role.CALLEE}-{number}"
    try:
        async with awake_node(f"{Role.CALLER}-{number}", server) as node:
            async with asyncio.timeout(MEETING_TIMEOUT):
                while node.clients.get(callee) is not Status.AWAKE:
                    await node.next_event()
            return await _outcome(node, callee, _connect(node, callee))
    except UNPREPARED as problem:
        return {"unprepared": f"{type(problem).__name__}: {problem}"}


async def _connect(node: Node, callee: str) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    channel = await node.connect(callee, early_data=PAYLOAD)
    seconds = loop.time() - started_at
    async with channel:
        assert channel.first_delivery is not None
        await channel.first_delivery
        if (got := await channel.receive()) != ANSWER:
            raise ValueError(f"answer: got {got!r}, expected {ANSWER!r}")
        await _agree(channel)
        return {"seconds": seconds, **_ends(channel)}


async def _agree(channel: Channel) -> None:
    """Waits for the nomination: before it, each side uses the first pair that it knows to work."""
    for _ in range(SELECTION_LOOKS):
        if any(entry.event in _SELECTED for entry in channel.timeline):
            return
        await asyncio.sleep(SELECTION_INTERVAL)
    raise ValueError("no path was nominated")


async def _be_called(number: int, server: str) -> dict[str, Any]:
    try:
        async with awake_node(f"{Role.CALLEE}-{number}", server) as node:
            async with asyncio.timeout(MEETING_TIMEOUT):
                channel = await node.accept()
            return await _outcome(node, channel.peer, _receive(channel))
    except UNPREPARED as problem:
        return {"unprepared": f"{type(problem).__name__}: {problem}"}


async def _receive(channel: Channel) -> dict[str, Any]:
    async with channel:
        await channel.confirmed()
        check_payload(await channel.receive())
        channel.send(ANSWER)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_TIMEOUT):
                await channel.closed()
        return _ends(channel)


async def _outcome(node: Node, peer: str, call: Any) -> dict[str, Any]:
    try:
        return dict(await call)
    except (PeerError, ValueError) as problem:
        evidence = node.evidence(peer)
        entries = () if evidence is None else evidence.timeline
        why = [] if evidence is None else list(explain(evidence))
        why += [f"{entry.at:.3f} {entry.event.value} {entry.detail}" for entry in entries]
        return {"failed": f"{type(problem).__name__}: {problem}", "why": why}


def _ends(channel: Channel) -> dict[str, Any]:
    path = channel.path
    assert path is not None
    return {
        "technique": TECHNIQUES[channel.technique],
        "local": str(path.local),
        "remote": str(path.remote),
    }


async def _obey(role: Role, server: str) -> None:
    """Makes calls until stdin ends."""
    orders = await standard_input()
    play = _call if role is Role.CALLER else _be_called
    while order := await orders.readline():
        first, count = map(int, order.split())
        numbers = range(first, first + count)
        outcomes = await asyncio.gather(*(play(number, server) for number in numbers))
        answer([{"number": number, **outcome} for number, outcome in zip(numbers, outcomes, strict=True)])


if __name__ == "__main__":
    asyncio.run(_obey(Role(sys.argv[1]), sys.argv[2]))
