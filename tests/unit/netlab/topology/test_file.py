from __future__ import annotations

import json
from pathlib import Path

import pytest

from natcore.nat import PortAllocation
from netlab.errors import BadTopology
from netlab.profiles import COMBINATIONS, PROFILES, profile
from netlab.topology.file import MAX_FILE_SIZE, from_document, load_topology, to_document
from netlab.topology.link import Link
from netlab.topology.scenes import two_nats

WHOLE = """
rtt = "40ms"
loss = "1%"

[profiles.strict]
mapping = "address-and-port-dependent"
filtering = "address-and-port-dependent"
allocation = "sequential"
port_step = 2
mapping_lifetime = "5s"
tcp_ports = [80, 443]

[nats.home]
profile = "strict"
behind = "carrier"
address = "100.64.0.2"
network = "192.168.1.0/24"
link = { delay = "10ms", jitter = "2ms", loss = "1%", rate = "20Mbit" }

[nats.carrier]
profile = "full-cone"
address = "203.0.113.7"
network = "100.64.0.0/24"
gateway = "100.64.0.254"

[hosts.server]
addresses = ["198.51.100.10", "198.51.100.20", "2001:db8:5::10"]

[hosts.laptop]
interfaces = [
    { behind = "home", addresses = ["192.168.1.10"] },
    { addresses = ["203.0.113.9"], link = { delay = "30ms" } },
]
"""

SMALL = '[hosts.server]\naddresses = ["198.51.100.10"]\n'
NAT = '[nats.home]\nprofile = "symmetric"\naddress = "203.0.113.7"\nnetwork = "192.168.1.0/24"\n'
ELSA = '[hosts.elsa]\nbehind = "home"\naddresses = ["192.168.1.10"]\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "lab.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_describes_a_whole_lab(tmp_path: Path) -> None:
    topology = load_topology(write(tmp_path, WHOLE))
    home, carrier = topology.nats
    assert (topology.rtt, topology.loss) == (0.04, 0.01)
    assert topology.node_names == ("server", "home", "carrier", "laptop")
    assert home.link == Link(delay=0.01, jitter=0.002, loss=0.01, rate=20e6)
    assert home.profile.behavior.allocation is PortAllocation.SEQUENTIAL
    assert (home.profile.behavior.port_step, home.profile.behavior.mapping_lifetime) == (2, 5.0)
    assert home.profile.tcp_ports == (80, 443)
    assert carrier.profile is profile("full-cone")
    assert str(carrier.gateway) == "100.64.0.254"
    assert [leg.nat for leg in topology.hosts[1].interfaces] == ["home", None]
    assert topology.hosts[1].interfaces[1].link == Link(delay=0.03)


def test_what_is_written_is_read_again_also_through_json(tmp_path: Path) -> None:
    topology = load_topology(write(tmp_path, WHOLE))
    assert from_document(to_document(topology)) == topology
    assert from_document(json.loads(json.dumps(to_document(topology)))) == topology


@pytest.mark.parametrize("name", [*PROFILES, *COMBINATIONS])
def test_every_profile_survives_being_written(name: str) -> None:
    topology = two_nats(profile(name), profile("open"), dual_stack=True, rtt=0.1, loss=0.02)
    assert from_document(json.loads(json.dumps(to_document(topology)))) == topology


BAD = {
    "hosts = 1": "hosts: got 1, expected a table",
    "colour = 1": "the file: unknown key 'colour'",
    "hostz = {}": "the file: unknown key 'hostz': did you mean hosts?",
    'rtt = "40"': "the file.rtt: got '40', expected a number with a unit, like 40ms or 0.04s",
    "rtt = true": "the file.rtt: got True, expected text",
    "rtt = 61": "round-trip time: got 61 s",
    SMALL.replace("addresses", "adresses"): "hosts.server: unknown key 'adresses': did you mean addresses?",
    "[hosts.server]": "hosts.server: 'addresses' is missing",
    '[hosts.server]\naddresses = "198.51.100.10"': "addresses: got '198.51.100.10', expected a list",
    "[hosts.server]\naddresses = [1]": "hosts.server.addresses: got 1, expected text",
    '[hosts.server]\naddresses = ["198.51.100.300"]': "addresses: '198.51.100.300' does not appear",
    "[hosts.server]\ninterfaces = [{}]": "hosts.server.interfaces[0]: 'addresses' is missing",
    '[hosts.server]\ninterfaces = []\nbehind = "x"': "hosts.server: unknown key 'behind'",
    f"{SMALL}link = 3": "hosts.server.link: got 3, expected a table",
    f'{SMALL}link = {{ dely = "1ms" }}': "hosts.server.link: unknown key 'dely': did you mean delay?",
    f'{SMALL}link = {{ delay = "1" }}': "hosts.server.link.delay: got '1', expected a number with a unit",
    f'{SMALL}link = {{ jitter = "1ms" }}': "hosts.server.link: jitter of a link: got 0.001 s",
    NAT.replace("symmetric", "symetric") + ELSA: "unknown NAT profile 'symetric': did you mean symmetric?",
    NAT.replace("profile", "profil") + ELSA: "nats.home: unknown key 'profil': did you mean profile?",
    NAT.replace("/24", "/33") + ELSA: "nats.home.network: '33' is not a valid netmask",
    NAT.replace("1.0/24", "1.1/24") + ELSA: "nats.home.network: 192.168.1.1/24 has host bits set",
    NAT + SMALL: "nothing stands behind 'home'",
    '[profiles.x]\nmapping = "endpoint-dependent"': (
        "profiles.x.mapping: got 'endpoint-dependent': did you mean endpoint-independent?"
    ),
    "[profiles.x]\nport_step = 0": "profiles.x.port_step: got 0, expected a whole number from 1 to 1000",
    "[profiles.x]\nport_pool = true": "profiles.x.port_pool: got True, expected a whole number",
    "[profiles.x]\nhairpinning = 1": "profiles.x.hairpinning: got 1, expected true or false",
    "[profiles.x]\ntcp_ports = [70000]": "x.tcp_ports: got 70000, expected a whole number from 1 to 65535",
    "[profiles.x]\ntcp_ports = []": "profiles.x.tcp_ports: got 0 ports, expected 1 to 64",
    f"[profiles.x]\ntcp_ports = {list(range(1, 66))}": "tcp_ports: got 65 ports, expected 1 to 64",
    "[hosts.server": "not a TOML file",
    "": "there is no host",
    f"rtt = {'9' * 400}": "round-trip time: got inf s",
    "rtt = nan": "round-trip time: got nan s",
    '[nats."a\\u001b"]\nx = 1': "nats.a\N{REPLACEMENT CHARACTER}: unknown key 'x'",
    '[profiles."\\u001b"]': "profile name: got '\\x1b', expected up to 64 printable characters",
    NAT.replace("symmetric", "x" * 10_000) + ELSA: "xxx': `netlab profiles` lists them",
}


@pytest.mark.parametrize("text", BAD)
def test_a_mistake_is_one_line_with_the_file_and_the_place(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadTopology) as caught:
        load_topology(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert BAD[text] in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadTopology, match="not a TOML file"):
        load_topology(path)
    path.write_bytes(b"#" * (MAX_FILE_SIZE + 1))
    with pytest.raises(BadTopology, match=f"more than {MAX_FILE_SIZE} bytes"):
        load_topology(path)
