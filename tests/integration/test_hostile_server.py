"""A server that means harm, and the chat as a person sees it."""

from __future__ import annotations

import socket

from natcore.control.messages import (
    Announcement,
    Change,
    ClientChange,
    ConnectRefused,
    Fault,
    FaultCode,
    Goodbye,
    Registered,
    ServerMessage,
    encode,
)
from tests.integration.processes import PATIENCE, start_chat

TAKEOVER = "\x1b]0;owned\x07\x1b[2J\u202e"
"""Sets a terminal's title, clears its screen, and turns the direction of what follows."""

REGISTERED = Registered(
    id="elsa",
    session="sessionOfElsa",
    key="k" * 32,
    endpoints=("127.0.0.1:9",),
    clients=(),
    ping_interval=10.0,
)
WORDS: tuple[ServerMessage, ...] = (
    REGISTERED,
    Fault(code=FaultCode.BAD_MESSAGE, reason=TAKEOVER),
    ConnectRefused(target=TAKEOVER, code=FaultCode.UNKNOWN_CLIENT, reason=TAKEOVER),
    Announcement(changes=(ClientChange(id="anna", change=Change.DISCONNECTED, reason=TAKEOVER),)),
    Goodbye(reason=TAKEOVER),
)


def test_no_word_of_the_server_drives_the_terminal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with start_chat("elsa", "{}:{}".format(*listener.getsockname())) as chat:
            with listener.accept()[0] as connection:
                connection.sendall(b"".join(map(encode, WORDS)))
            chat.wait_for_line("anna is disconnected")
            chat.wait_for_line("the server is gone")
            listener.close()
            chat.type("@awake")
            chat.wait_for_line(".*cannot|.*127.0.0.1")
            ended = chat.stop()
    for text in (ended.out, ended.err):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "turned something down" in ended.err
