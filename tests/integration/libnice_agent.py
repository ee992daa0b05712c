"""libnice as a program: ``/usr/bin/python3 libnice_agent.py controlling|controlled [PROPERTY=NUMBER]...``.

A stand-alone script for the system's Python, which alone has GObject introspection. It talks in lines of
JSON: first it prints ``{"sdp": ...}``; it reads the other side's description as a JSON string; from then on
it prints ``{"state": ...}`` and ``{"received": ...}`` as they come, and sends each further line to the other
side. It ends when its stdin does, or by itself after ``LIFETIME``.

Receiving is what introspection has no way for: ``nice_agent_attach_recv`` is left out, because nothing says
when its callback may be freed, and ``nice_agent_recv_nonblocking`` gets a buffer of any length and crashes.
So that one function is called by ctypes.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any

import gi  # type: ignore[import-not-found]  # of the system, and not of our environment

gi.require_version("Nice", "0.1")
from gi.repository import GLib, Nice  # type: ignore[import-not-found]  # noqa: E402 (the version comes first)

LIBRARY = "libnice.so.10"
"""Which ``gir1.2-nice-0.1`` describes, and has loaded by then."""

LIFETIME = 20_000
"""Milliseconds; more than any test waits."""

COMPONENT = 1

RECEIVE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p
)
"""NiceAgentRecvFunc: agent, stream, component, length, data, and nothing."""


def tell(**words: object) -> None:
    """One line for the test."""
    print(json.dumps(words), flush=True)


def make_agent(arguments: list[str]) -> tuple[Any, int]:
    """An agent with one stream, whose candidates on the loopback interface are gathered."""
    role, *properties = arguments
    options = {name.replace("-", "_"): int(value) for name, value in (one.split("=") for one in properties)}
    agent = Nice.Agent(
        compatibility=Nice.Compatibility.RFC5245,
        controlling_mode=role == "controlling",
        upnp=False,
        ice_tcp=False,
        **options,
    )
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


def receive(_agent: int, _stream: int, _component: int, length: int, data: int, _nothing: int) -> None:
    """Called by libnice with what is no check."""
    tell(received=ctypes.string_at(data, length).decode())


def main() -> None:
    """The program."""
    agent, stream = make_agent(sys.argv[1:])
    attach_recv = ctypes.CDLL(LIBRARY).nice_agent_attach_recv
    address = ctypes.c_void_p(hash(agent))  # which is what an object of GLib hashes to
    callback = RECEIVE(receive)
    attach_recv(address, stream, COMPONENT, None, callback, None)
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
    GLib.timeout_add(LIFETIME, loop.quit)
    loop.run()


if __name__ == "__main__":
    main()
