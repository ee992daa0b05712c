"""The examples do what they say."""

from __future__ import annotations

import subprocess
import sys

from tests.integration.processes import PATIENCE, Rendezvous


def test_hello_finds_its_peer_and_hears_an_answer() -> None:
    script = [sys.executable, "examples/hello.py"]
    with Rendezvous() as server:
        waiting = subprocess.Popen([*script, server.address, "anna"], stdout=subprocess.PIPE, text=True)
        with waiting as anna:
            assert anna.stdout is not None
            assert anna.stdout.readline().startswith("anna is seen at 127.0.0.1:")
            elsa = subprocess.run(
                [*script, server.address, "elsa", "anna", "hello"],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=True,
            )
            assert anna.stdout.readline() == "elsa says b'hello'\n"
    assert "anna answers b'you said hello'" in elsa.stdout
