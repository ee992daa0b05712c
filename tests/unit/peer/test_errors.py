from __future__ import annotations

import re

import pytest

from natcore.control.messages import FaultCode
from natcore.errors import PeerError
from peer.cli.commands import EXIT_CODES
from peer.errors import (
    AwakeFailed,
    ChannelClosed,
    MappingFailed,
    NoPath,
    PeerUnavailable,
    RegistrationFailed,
    ServerUnreachable,
    Undelivered,
    UnknownInterface,
)
from peer.exit_codes import ExitCode

ERRORS = [
    (
        UnknownInterface(name="wlan1\n", known=["lo", "eth0"]),
        "interface 'wlan1\\n': there is none of that name; there are lo, eth0",
        2,
    ),
    (
        ServerUnreachable(server="host:1", detail="connection refused"),
        "cannot use the server host:1: connection refused",
        3,
    ),
    (
        RegistrationFailed(client_id="elsa", code=FaultCode.DUPLICATE_ID, reason="it is taken"),
        "cannot register as elsa: it is taken",
        4,
    ),
    (
        PeerUnavailable(peer="anna", code=FaultCode.CLIENT_ASLEEP, reason="it sleeps"),
        "cannot reach anna: it sleeps",
        5,
    ),
    (
        AwakeFailed(detail="no answer to 7 requests"),
        "cannot wake: no answer to 7 requests; UDP to the server may be blocked",
        6,
    ),
    (
        NoPath(peer="anna", reason="silence", detail="10 checks", packets_sent=10),
        "no direct path to anna: silence (10 checks)",
        1,
    ),
    (
        ChannelClosed(peer="anna", detail="anna closed it"),
        "the channel with anna is closed: anna closed it",
        1,
    ),
    (
        MappingFailed(reason="silence"),
        "no port mapping: silence; switch PCP, NAT-PMP or UPnP on in the gateway, or forward it by hand",
        7,
    ),
    (Undelivered(peer="anna"), "anna has not confirmed it, but may have it", 1),
]


@pytest.mark.parametrize(("error", "text", "code"), ERRORS, ids=lambda it: type(it).__name__)
def test_an_error_has_one_line_and_an_exit_code(error: PeerError, text: str, code: int) -> None:
    assert str(error) == text
    assert getattr(error, "exit_code", None) == code


def test_every_error_of_the_library_is_in_the_table() -> None:
    assert set(PeerError.__subclasses__()) >= {type(error) for error, _, _ in ERRORS}
    ours = {one for one in PeerError.__subclasses__() if one.__module__ == "peer.errors"}
    assert ours == {type(error) for error, _, _ in ERRORS}


def test_the_help_text_names_every_exit_code_and_no_other() -> None:
    assert [int(code) for code in re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)] == sorted(ExitCode)
