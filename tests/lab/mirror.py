"""A server that tells its clients how it sees them, and a host that keeps asking it from one socket."""

from __future__ import annotations

from netlab.lab import Lab
from netlab.process import NodeProcess

PORT = 7777

_MIRROR = f"""
import socket, sys
udp = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((sys.argv[1], {PORT}))
print("READY", flush=True)
while True:
    _, source = udp.recvfrom(100)
    udp.sendto(f"{{source[0]}} {{source[1]}}".encode(), source)
"""

_CLIENT = f"""
import select, socket, sys
udp = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((sys.argv[2], int(sys.argv[3])))
udp.settimeout(0.3)
print("READY", flush=True)
for target in sys.stdin:
    while select.select([udp], [], [], 0)[0]:
        udp.recv(100)  # the late answer to an earlier question
    udp.sendto(b"who am I?", (target.strip() or sys.argv[1], {PORT}))
    try:
        print("seen", udp.recv(100).decode(), flush=True)
    except OSError:
        print("seen nobody", flush=True)
"""


class Client:
    """A socket in a node that the mirror is asked from."""

    def __init__(self, lab: Lab, node: str, server: str, *, address: str = "", port: int = 5000) -> None:
        self._process = lab.start(node, ["python3", "-c", _CLIENT, server, address, str(port)])
        self._process.wait_for_line("^READY$")

    def ask(self, server: str = "") -> tuple[str, int] | None:
        """How the mirror sees us, or None where it does not answer."""
        self._process.write_line(server)
        words = self._process.wait_for_line("^seen ").split()[1:]
        return (words[0], int(words[1])) if len(words) == 2 else None


def start_mirror(lab: Lab, node: str, address: str) -> NodeProcess:
    """Starts the server on a node."""
    process = lab.start(node, ["python3", "-c", _MIRROR, address], label=f"{node}-mirror")
    process.wait_for_line("^READY$")
    return process
