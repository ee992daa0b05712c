"""The lab's own programs: delay line, STUN server, probe, capture.

Each is a stand-alone script of the host, or a folder that is one, and runs in a node's network, whatever the
node is made of: it needs the node's packets and not its files.
"""

from __future__ import annotations

import sys
from pathlib import Path

from netlab.instruments.capture import Packet, read_packets
from netlab.process import NodeProcess
from netlab.tools import in_namespace

_SCRIPTS = Path(__file__).parent


def instrument_command(namespace: str, script: str, *options: str) -> list[str]:
    """The argv that runs one of the scripts in a namespace, isolated from the caller's Python settings.

    Nor does it look for installed packages (``-S``), which takes Python as long as the rest of its start.
    """
    return in_namespace(namespace, [sys.executable, "-I", "-S", str(_SCRIPTS / script), *options])


class Capture:
    """A recording in progress.

    Attributes:
        file: the pcap file; every frame is in it as soon as it has passed.
    """

    def __init__(self, process: NodeProcess, file: Path) -> None:
        self.file = file
        self._process = process

    def stop(self) -> list[Packet]:
        """Ends the recording, with all that had arrived, and returns its IPv4 packets in order.

        Raises:
            ProcessFailed: it had ended before, on a full disk for example; what is missing is unknown.
        """
        if self._process.stop() != 0:
            raise self._process.failure("to record until it is told to end")
        return read_packets(self.file)
