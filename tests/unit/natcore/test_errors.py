"""Every error's text is built from its fields, and every error has its place in the tree."""

from __future__ import annotations

import pytest

from natcore import errors
from natcore.control.messages import FaultCode
from peer import errors as peer_errors

TEXTS = [
    (
        errors.DecodeError("STUN header", got="19 bytes", expected="20"),
        "STUN header: got 19 bytes, expected 20",
    ),
    (errors.DecodeError("port", got="nonsense"), "port: got nonsense"),
    (
        peer_errors.ServerUnreachable(server="example.org:10080", detail="connection refused"),
        "cannot use the server example.org:10080: connection refused",
    ),
    (
        peer_errors.RegistrationFailed(client_id="elsa", code=FaultCode.DUPLICATE_ID, reason="elsa is taken"),
        "cannot register as elsa: elsa is taken",
    ),
    (
        peer_errors.PeerUnavailable(peer="anna", code=FaultCode.CLIENT_ASLEEP, reason="anna is asleep"),
        "cannot reach anna: anna is asleep",
    ),
    (
        peer_errors.AwakeFailed(detail="no answer"),
        "cannot wake: no answer; UDP to the server may be blocked",
    ),
    (
        peer_errors.NoPath(peer="anna", reason="silence", detail="3 checks", packets_sent=3),
        "no direct path to anna: silence (3 checks)",
    ),
    (
        peer_errors.MappingFailed(reason="silence"),
        "no port mapping: silence; switch PCP, NAT-PMP or UPnP on in the gateway, or forward it by hand",
    ),
    (
        peer_errors.ChannelClosed(peer="anna", detail="closed by anna"),
        "the channel with anna is closed: closed by anna",
    ),
    (peer_errors.Undelivered(peer="anna"), "anna has not confirmed it, but may have it"),
]


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=[type(error).__name__ for error, _ in TEXTS])
def test_the_text_says_what_happened(error: Exception, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize("error", [error for error, _ in TEXTS], ids=lambda error: type(error).__name__)
def test_every_error_stands_in_the_tree(error: Exception) -> None:
    assert isinstance(error, errors.NatTraversalError)


def test_a_decode_error_is_a_value_error_for_whoever_parses_options() -> None:
    assert issubclass(errors.DecodeError, ValueError)
    assert not issubclass(errors.MisuseError, errors.ProtocolError)
