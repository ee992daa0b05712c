from __future__ import annotations

import os
import stat
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from natcore.address import TransportAddress
from natcore.errors import DecodeError
from natcore.portmap import MappingProtocol
from peer.portmapping import Mapping
from peer.portmapping.records import MAX_FILE_SIZE, MAX_RECORDS, Record, Records, records_file

NONCE = bytes(range(12))


def mapping(port: int = 4000, *, lifetime: int | None = 60) -> Mapping:
    return Mapping(
        protocol=MappingProtocol.PCP,
        gateway=IPv4Address("192.168.1.1"),
        internal=TransportAddress(IPv4Address("192.168.1.10"), port),
        external=TransportAddress(IPv4Address("203.0.113.7"), port),
        lifetime=lifetime,
    )


def record(port: int = 4000, *, lifetime: int | None = 60) -> Record:
    return Record.of(mapping(port, lifetime=lifetime), nonce=NONCE, now=1000.0)


def records(folder: Path, *, now: float = 1000.0) -> Records:
    return Records(folder / "state" / "mappings.json", now=now)


def test_what_was_added_is_found_again_with_its_nonce(tmp_path: Path) -> None:
    records(tmp_path).add(record())
    (found,) = records(tmp_path).all()
    again, nonce = found.to_mapping()
    assert (again.internal, again.external, again.gateway) == (
        mapping().internal,
        mapping().external,
        mapping().gateway,
    )
    assert nonce == NONCE


def test_one_port_has_one_record_and_can_be_forgotten(tmp_path: Path) -> None:
    for port in (4000, 4001, 4000):
        records(tmp_path).add(record(port))
    assert [one.internal for one in records(tmp_path).all()] == ["192.168.1.10:4001", "192.168.1.10:4000"]
    records(tmp_path).remove(mapping(4001).internal)
    assert [one.internal for one in records(tmp_path).all()] == ["192.168.1.10:4000"]


@pytest.mark.parametrize(("lifetime", "now", "count"), [(60, 1059.9, 1), (60, 1060.0, 0), (None, 9e9, 1)])
def test_what_is_over_is_forgotten(tmp_path: Path, lifetime: int | None, now: float, count: int) -> None:
    records(tmp_path).add(record(lifetime=lifetime))
    assert len(records(tmp_path, now=now).all()) == count


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[1, {}, null]", b"\xff\xfe", b"[" * 100_000, b" " * (MAX_FILE_SIZE + 1), b"{}"]
)
def test_a_damaged_file_is_an_empty_one(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "state" / "mappings.json"
    file.parent.mkdir()
    file.write_bytes(damage)
    assert records(tmp_path).all() == []
    records(tmp_path).add(record())
    assert len(records(tmp_path).all()) == 1


def test_one_damaged_record_does_not_take_the_others_along(tmp_path: Path) -> None:
    records(tmp_path).add(record())
    file = tmp_path / "state" / "mappings.json"
    file.write_bytes(file.read_bytes().replace(b"[{", b'[{"protocol":"carrier pigeon"},{'))
    assert len(records(tmp_path).all()) == 1


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    records(tmp_path).add(record())
    file = tmp_path / "state" / "mappings.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == [file.name]


def test_so_many_records_and_not_one_more(tmp_path: Path) -> None:
    for port in range(1, MAX_RECORDS + 2):
        records(tmp_path).add(record(port))
    found = records(tmp_path).all()
    assert (len(found), found[0].internal) == (MAX_RECORDS, "192.168.1.10:2")


@pytest.mark.parametrize("changes", [{"nonce": "xyz"}, {"internal": "nowhere"}, {"gateway": "\x1b"}])
def test_a_record_that_makes_no_sense_is_no_mapping(changes: dict[str, str]) -> None:
    good = record()
    fields = {name: getattr(good, name) for name in good.__struct_fields__}
    with pytest.raises(DecodeError):
        Record(**{**fields, **changes}).to_mapping()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_STATE_HOME": "/state"}, "/state/nat-traversal-toolkit/mappings.json"),
        (
            {"XDG_STATE_HOME": "relative"},
            str(Path.home() / ".local/state/nat-traversal-toolkit/mappings.json"),
        ),
        ({}, str(Path.home() / ".local/state/nat-traversal-toolkit/mappings.json")),
    ],
)
def test_it_is_where_state_belongs(environment: dict[str, str], expected: str) -> None:
    assert str(records_file(environment)) == expected
