"""Each NAT blocks what it should block, shown with single packets and without the probe."""

from __future__ import annotations

import json

import pytest

from netlab.lab import Lab
from netlab.profiles import profile
from netlab.topology.scenes import two_nats

pytestmark = pytest.mark.lab

SERVER, OTHER_SERVER = "198.51.100.10", "198.51.100.20"
ELSA_PUBLIC = "203.0.113.7"
PORT = 7000

SENDERS = ((SERVER, 9000), (SERVER, 9001), (OTHER_SERVER, 9000))
"""The endpoint that elsa sends to, another port of its address, another address."""

LISTENER = f"""
import select, socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", {PORT}))
if "silent" not in sys.argv:
    udp.sendto(b"open", {SENDERS[0]!r})
print("READY", flush=True)
sys.stdin.readline()
heard = []
while select.select([udp], [], [], 0.05)[0]:
    heard.append(udp.recvfrom(100)[1])
print(heard, flush=True)
"""

SENDER = """
import json, socket, sys
for source in json.loads(sys.argv[1]):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(tuple(source))
    udp.sendto(b"knock", (sys.argv[2], int(sys.argv[3])))
"""


def heard_by_elsa(name: str, *, silent: bool) -> str:
    """From whom elsa hears, behind a NAT of that profile, when all senders knock at her public endpoint."""
    with Lab(two_nats(profile(name), profile("open"))) as lab:
        elsa = lab.start("elsa", ["python3", "-c", LISTENER, *(["silent"] if silent else [])])
        elsa.wait_for_line("READY")
        knock = ["python3", "-c", SENDER, json.dumps(SENDERS), ELSA_PUBLIC, str(PORT)]
        assert lab.run("server", knock).returncode == 0
        elsa.write_line("count")
        heard = elsa.wait_for_line(r"^\[")
        elsa.wait()
    return heard


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("full-cone", list(SENDERS)),
        ("address-restricted", list(SENDERS[:2])),
        ("port-restricted", list(SENDERS[:1])),
        ("naive", list(SENDERS[:1])),
        (
            "symmetric",
            [],
        ),  # the knock goes to the port that elsa sent from, which is not the one she was given
        ("udp-blocked", []),
    ],
)
def test_a_nat_lets_in_whom_it_should_and_nobody_else(name: str, expected: list[tuple[str, int]]) -> None:
    assert heard_by_elsa(name, silent=False) == str(expected)


@pytest.mark.parametrize("name", ["full-cone", "address-restricted", "port-restricted", "naive", "symmetric"])
def test_nobody_reaches_a_port_that_has_sent_nothing(name: str) -> None:
    assert heard_by_elsa(name, silent=True) == "[]"


@pytest.mark.parametrize(
    ("name", "remembered"),
    [("full-cone", 0), ("address-restricted", 0), ("port-restricted", 0), ("symmetric", 0), ("naive", 1)],
)
def test_only_the_naive_nat_remembers_an_unsolicited_packet(name: str, remembered: int) -> None:
    with Lab(two_nats(profile(name), profile("open"))) as lab:
        lab.run("server", ["python3", "-c", SENDER, json.dumps(SENDERS[:1]), ELSA_PUBLIC, str(PORT)])
        entries = [line for line in lab.conntrack("nat-elsa") if f"dport={PORT}" in line]
    assert len(entries) == remembered


def test_two_hosts_behind_different_nats_cannot_reach_each_other_unasked() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("port-restricted"))) as lab:
        done = lab.run("elsa", ["ping", "-c", "2", "-i", "0.1", "-W", "0.3", "192.168.1.20"])
        assert done.returncode != 0
        done = lab.run("elsa", ["ping", "-c", "2", "-i", "0.1", "-W", "0.3", "203.0.113.33"])
        assert done.returncode != 0
