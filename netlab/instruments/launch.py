"""The lab's own programs: delay line, STUN server, probe, capture.

Each is a stand-alone script, or a folder with one, of the host that runs in a node's network, whatever the node is made of: it needs
the node's packets and not its files.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netlab.errors import ProcessFailed
from netlab.instruments.capture import Packet, read_packets
from netlab.process import NodeProcess
from netlab.tools import in_namespace
from netlab.topology import INSTRUMENT_ADDRESSES

_SCRIPTS = Path(__file__).parent

_PROBE_TIMEOUT = 30.0
"""Seconds for one probe that does not wait for a lifetime; 0.2 s are usual."""

PROBE_SERVERS = tuple(map(str, INSTRUMENT_ADDRESSES))
"""What probe and STUN server are told by default: the addresses at which the core is measured from."""


def instrument_command(namespace: str, script: str, *options: str) -> list[str]:
    """The argv that runs one of the scripts in a namespace, isolated from the caller's Python settings."""
    return in_namespace(namespace, [sys.executable, "-I", str(_SCRIPTS / script), *options])


def run_probe(
    namespace: str, options: Sequence[str] = PROBE_SERVERS, *, timeout: float = _PROBE_TIMEOUT
) -> dict[str, Any]:
    """Measures the NAT in front of a namespace, and returns the JSON object of the folder ``probe``.

    Args:
        namespace: where to measure from.
        options: the arguments of the probe.
        timeout: seconds after which it has failed.

    Raises:
        ProcessFailed: the probe got no answer that no NAT can explain, or did not end in time.
    """
    expected = "a measurement of its NAT"
    try:
        done = subprocess.run(
            instrument_command(namespace, "probe", *options),
            text=True,
            capture_output=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        got = f"nothing within {timeout:g} s"
        raise ProcessFailed(f"probe in {namespace}", expected=expected, got=got) from None
    if done.returncode != 0:
        got = " / ".join(done.stderr.split("\n"))[-500:].strip(" /")
        raise ProcessFailed(f"probe in {namespace}", expected=expected, got=got)
    measurement: dict[str, Any] = json.loads(done.stdout)
    return measurement


class Capture:
    """A recording in progress.

    Attributes:
        file: the pcap file; every frame is in it as soon as it has passed.
    """

    def __init__(self, process: NodeProcess, file: Path) -> None:
        self.file = file
        self._process = process

    def stop(self) -> list[Packet]:
        """Ends the recording, with all that had arrived, and returns its IPv4 packets in order."""
        self._process.stop()
        return read_packets(self.file)
