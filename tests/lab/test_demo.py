"""The demonstration with the real programs."""

from __future__ import annotations

import pytest

from netlab.demo import DIALOGUE, demonstrate
from netlab.namespaces import NamespaceBackend
from tests.lab.traces import traces_of

pytestmark = pytest.mark.lab


def test_elsa_and_anna_chat_through_two_nats_without_the_server() -> None:
    shown = demonstrate(NamespaceBackend())
    assert [claim.claim for claim in shown.claims if not claim.holds] == []
    for speaker, listener, text in DIALOGUE:
        assert (listener, f"From {speaker} [{text}]") in shown.transcript
    assert traces_of(shown.lab) == []
