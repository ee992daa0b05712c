"""Every UDP state machine has the five verbs; mypy checks the shapes, the test that they are there."""

from __future__ import annotations

import pytest

from natcore.agent import Agent
from natcore.channel import PeerSession, SessionEvent
from natcore.endpoint import ClientEndpoint, EndpointEvent
from natcore.endpoint.awake import AwakeAgent, AwakeEvent
from natcore.ice import IceAgent, IceEvent

AWAKE: type[Agent[AwakeEvent]] = AwakeAgent
ENDPOINT: type[Agent[EndpointEvent]] = ClientEndpoint
ICE: type[Agent[IceEvent]] = IceAgent
SESSION: type[Agent[SessionEvent]] = PeerSession

VERBS = ("receive_datagram", "handle_timer", "datagrams_to_send", "next_event", "get_timer")


@pytest.mark.parametrize("kind", [AWAKE, ENDPOINT, ICE, SESSION], ids=lambda kind: kind.__name__)
def test_it_has_the_five_verbs(kind: type[Agent[object]]) -> None:
    assert all(callable(getattr(kind, verb)) for verb in VERBS)
