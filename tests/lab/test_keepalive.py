"""Behind a NAT that forgets soon, a peer measures how soon, and refreshes its mapping in time from then."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from benchmarks.discovery_run import PORT, start_server
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.topology.scenes import SERVER_ADDRESSES, two_nats

pytestmark = pytest.mark.lab

LIFETIME = 4.0
"""Seconds; without a measurement a mapping is refreshed every 15 s, and each time it is another one here."""

PATIENCE = 60.0
SILENCE = 4 * LIFETIME


def test_a_mapping_is_refreshed_before_the_nat_forgets_it() -> None:
    forgetful = profile("non-preserving-cone")
    forgetful = replace(forgetful, behavior=replace(forgetful.behavior, mapping_lifetime=LIFETIME))
    with Lab(two_nats(forgetful, profile("port-restricted"), rtt=0.02), prove=False) as lab:
        server = start_server(lab)
        arguments = ["--id", "elsa", "--server", f"{SERVER_ADDRESSES[0]}:{PORT}", "--no-port-mapping"]
        elsa = lab.start("elsa", ["peer", "--log-level", "info", "listen", *arguments])
        server.wait_for_line("elsa Awake")
        deadline = time.monotonic() + PATIENCE
        while "an idle mapping lives" not in elsa.stderr.read_text():
            assert time.monotonic() < deadline, elsa.stderr.read_text()
            time.sleep(0.2)
        time.sleep(LIFETIME)  # until the first refresh that follows from it
        before = [line for line in server.lines() if line.startswith("elsa Awake")]
        time.sleep(SILENCE)
        assert [line for line in server.lines() if line.startswith("elsa Awake")] == before
