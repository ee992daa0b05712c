from __future__ import annotations

import pytest

from netlab.demo import demonstrate
from netlab.docker.backend import DockerBackend
from tests.lab.traces import traces_of

pytestmark = [pytest.mark.lab, pytest.mark.docker]


def test_elsa_and_anna_chat_in_containers_and_every_claim_holds() -> None:
    demonstration = demonstrate(DockerBackend())

    refuted = [claim for claim in demonstration.claims if not claim.holds]
    assert refuted == []
    assert traces_of(demonstration.lab) == []
    assert demonstration.lab not in DockerBackend().labs()
