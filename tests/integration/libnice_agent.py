"""libnice as a program: ``/usr/bin/python3 libnice_agent.py controlling|controlled [PROPERTY=VALUE]...``.

A stand-alone script for the system's Python, which alone has GObject introspection. It talks in lines of JSON:
first it prints ``{"sdp": ...}``; it reads the other side's description as a JSON string; from then on it prints
``{"state": ...}`` and ``{"received": ...}`` as they come, and sends each further line to the other side. It
ends when its stdin does, or by itself after ``LIFETIME``.

Deviation from how C programs use libnice: ``nice_agent_attach_recv`` cannot be introspected, so it is polled.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import gi  # type: ignore[import-not-found]  # of the system, and not of our environment

gi.require_version("Nice", "0.1")
from gi.repository import GLib, Nice  # type: ignore[import-not-found]  # noqa: E402 (the version comes first)

POLL_INTERVAL = 2
"""Milliseconds."""

LIFETIME = 20_000
"""Milliseconds; more than any test waits."""

COMPONENT = 1


def tell(**words: object) -> None:
    """One line for the test."""
    print(json.dumps(words), flush=True)


def make_agent(arguments: list[str]) -> tuple[Any, int]:
    """An agent with one stream, whose candidates on the loopback interface are gathered."""
    role, *properties = arguments
    agent = Nice.Agent.new(GLib.MainContext.default(), Nice.Compatibility.RFC5245)
    options: dict[str, object] = {"controlling-mode": role == "controlling", "upnp": False, "ice-tcp": False}
    options |= {name: int(value) for name, value in (one.split("=") for one in properties)}
    for name, value in options.items():
        agent.set_property(name, value)
    address = Nice.Address.new()
    address.set_from_string("127.0.0.1")
    agent.add_local_address(address)
    stream = agent.add_stream(1)
    agent.set_stream_name(stream, "application")
    agent.connect(
        "component-state-changed",
        lambda _agent, _stream, _component, state: tell(state=Nice.ComponentState(state).value_nick),
    )
    agent.gather_candidates(stream)  # without a STUN server it is done when this returns
    return agent, stream


def receive(agent: Any, stream: int) -> bool:
    """Lets the agent read its socket; true, so that it is called again."""
    try:
        length, data = agent.recv_nonblocking(stream, COMPONENT, None)
    except GLib.Error:
        return True  # nothing there but, perhaps, checks, which it has taken
    if length > 0:
        tell(received=bytes(data[:length]).decode())
    return True


def main() -> None:
    """The program."""
    agent, stream = make_agent(sys.argv[1:])
    tell(sdp=agent.generate_local_sdp())
    agent.parse_remote_sdp(json.loads(sys.stdin.readline()))
    loop = GLib.MainLoop()

    def read(channel: Any, _condition: object) -> bool:
        line = channel.readline()
        if not line:
            loop.quit()
            return False
        agent.send(stream, COMPONENT, len(line.rstrip()), line.rstrip())
        return True

    GLib.io_add_watch(
        GLib.IOChannel.unix_new(sys.stdin.fileno()), GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, read
    )
    GLib.timeout_add(POLL_INTERVAL, receive, agent, stream)
    GLib.timeout_add(LIFETIME, loop.quit)
    loop.run()


if __name__ == "__main__":
    main()
