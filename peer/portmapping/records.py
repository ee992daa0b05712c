"""What ``peer map add`` has made, in a small file, so that a later ``peer map delete`` can end it.

PCP ends a mapping only for who knows its nonce. The file is for its owner only; what in it makes no sense,
or is over, is dropped in silence: at worst a mapping lives until its lifetime ends.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping as Environment
from pathlib import Path

import msgspec

from natcore.address import TransportAddress
from natcore.errors import DecodeError
from natcore.portmap import MappingProtocol
from peer.portmapping.method import Mapping

MAX_RECORDS = 256
MAX_FILE_SIZE = 256 * 1024
"""Bytes; 256 records have about 60,000."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One mapping.

    Attributes:
        protocol: ``upnp``, ``nat-pmp`` or ``pcp``.
        internal: ``ADDRESS:PORT`` of this host.
        external: outside.
        gateway: who forwards.
        nonce: of PCP, 24 hexadecimal digits.
        expires_at: seconds since 1970; null for never.
    """

    protocol: MappingProtocol
    internal: str
    external: str
    gateway: str
    nonce: str
    expires_at: float | None

    @classmethod
    def of(cls, mapping: Mapping, *, nonce: bytes, now: float) -> Record:
        """Of what has just been granted."""
        return cls(
            protocol=mapping.protocol,
            internal=str(mapping.internal),
            external=str(mapping.external),
            gateway=str(mapping.gateway),
            nonce=nonce.hex(),
            expires_at=None if mapping.lifetime is None else now + mapping.lifetime,
        )

    def to_mapping(self) -> tuple[Mapping, bytes]:
        """The mapping and its nonce.

        Raises:
            DecodeError: the record makes no sense.
        """
        try:
            nonce = bytes.fromhex(self.nonce)
        except ValueError:
            raise DecodeError("nonce", got=ascii(self.nonce[:32]), expected="hexadecimal digits") from None
        internal = TransportAddress.parse(self.internal)
        mapping = Mapping(
            protocol=self.protocol,
            gateway=TransportAddress.parse(f"{self.gateway}:0").ip,
            internal=internal,
            external=TransportAddress.parse(self.external),
            lifetime=None,
        )
        return mapping, nonce


def records_file(environment: Environment[str, str]) -> Path:
    """Where the records are (XDG Base Directory Specification)."""
    state_home = environment.get("XDG_STATE_HOME", "")
    folder = Path(state_home) if state_home.startswith("/") else Path.home() / ".local" / "state"
    return folder / "nat-traversal-toolkit" / "mappings.json"


class Records:
    """The records in one file.

    Args:
        file: it need not exist.
        now: seconds since 1970.
    """

    def __init__(self, file: Path, *, now: float | None = None) -> None:
        self._file = file
        self._now = time.time() if now is None else now

    def all(self) -> list[Record]:
        """What is not over, oldest first."""
        try:
            with self._file.open("rb") as opened:
                data = opened.read(MAX_FILE_SIZE + 1)
            rows = msgspec.json.decode(data[:MAX_FILE_SIZE], type=list[msgspec.Raw])
        except (OSError, msgspec.DecodeError, RecursionError):
            return []
        records: list[Record] = []
        for row in rows[-MAX_RECORDS:]:
            with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
                records.append(msgspec.json.decode(row, type=Record))
        return [one for one in records if one.expires_at is None or one.expires_at > self._now]

    def add(self, record: Record) -> None:
        """Notes a mapping in place of an earlier one of the same internal address.

        Raises:
            OSError: the file cannot be written.
        """
        others = [one for one in self.all() if one.internal != record.internal]
        self._write([*others, record])

    def remove(self, internal: TransportAddress) -> None:
        """Forgets the mapping of an internal address.

        Raises:
            OSError: the file cannot be written.
        """
        kept = [one for one in self.all() if one.internal != str(internal)]
        if self._file.exists():
            self._write(kept)

    def _write(self, records: list[Record]) -> None:
        """All or nothing, and readable by its owner only: nonces are secrets."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=".mappings-")
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(msgspec.json.encode(records[-MAX_RECORDS:]) + b"\n")
            Path(name).replace(self._file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
