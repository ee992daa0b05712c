"""STUN clients that others wrote ask our server, and learn what any STUN server would tell them.

Debian's ``stun``, which speaks the classic protocol of RFC 3489, and coturn's two are Debian packages that
``make test`` installs; aioice comes with our development tools.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator

import aioice
import aioice.ice
import pytest

from tests.integration.processes import PATIENCE, Rendezvous
from tests.lab.requirements import stop_for_want_of

REFLEXIVE_ADDRESS = r"UDP reflexive addr: (\S+)"


@pytest.fixture(scope="module")
def server() -> Iterator[Rendezvous]:
    with Rendezvous() as running:
        yield running


def run(tool: str, *arguments: str, is_answer_the_exit_code: bool = False) -> str:
    """What the tool prints; without the tool the test ends here, by the same rule as the labs' tests."""
    path = shutil.which(tool)
    if path is None:
        stop_for_want_of(f"{tool} is not installed: `make test` installs it")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert is_answer_the_exit_code or done.returncode == 0, done
    return done.stdout + done.stderr


def free_port() -> int:
    """A port that nobody has now; turnutils_natdiscovery cannot say which one it was given."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port: int = udp.getsockname()[1]
        return port


def test_coturns_client_sees_an_address_of_its_own(server: Rendezvous) -> None:
    printed = run("turnutils_stunclient", "-p", str(server.port), "127.0.0.1")
    addresses = re.findall(REFLEXIVE_ADDRESS, printed)
    assert addresses, printed
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+", address) for address in addresses)


@pytest.mark.parametrize("discovery", ["-m", "-f", "-H"], ids=["mapping", "filtering", "hairpinning"])
def test_coturns_discovery_learns_the_address_and_no_behavior_that_one_address_cannot_show(
    server: Rendezvous, discovery: str
) -> None:
    own = ("-L", "127.0.0.1", "-l", str(free_port()))
    printed = run("turnutils_natdiscovery", discovery, *own, "-p", str(server.port), "127.0.0.1")
    assert set(re.findall(REFLEXIVE_ADDRESS, printed)) == {f"127.0.0.1:{own[3]}"}, printed
    assert "Mapping!" not in printed
    assert "Filtering!" not in printed


def test_debians_classic_client_sees_its_address(server: Rendezvous) -> None:
    own_port = str(free_port())
    printed = run("stun", server.address, "1", "-v", "-p", own_port)
    assert f"MappedAddress = 127.0.0.1:{own_port}" in printed


def test_debians_classic_client_does_not_take_a_server_with_one_address_for_an_open_door(
    server: Rendezvous,
) -> None:
    printed = run("stun", server.address, is_answer_the_exit_code=True)
    assert "Primary: Firewall" in printed, "an answer to its CHANGE-REQUEST would have made it say Open"


@pytest.mark.parametrize("options", [(), ("--alternate-ip", "127.0.0.2")], ids=["one address", "two"])
async def test_aioice_gathers_its_server_reflexive_candidate(
    options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rendezvous(options=options) as server:
        found = await gather_by_aioice(server, monkeypatch)
    assert found["srflx"] == found["host"]


async def gather_by_aioice(server: Rendezvous, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, int]]:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    connection = aioice.Connection(ice_controlling=True, stun_server=("127.0.0.1", server.port))
    try:
        await connection.gather_candidates()
        return {candidate.type: (candidate.host, candidate.port) for candidate in connection.local_candidates}
    finally:
        await connection.close()
