"""ALTERNATE-PORT, our own: the second port of a server that has one address only.

RFC 5780 section 7.4 lets a server tell its other port only together with another address. Who has one address
but two ports can still show whether a NAT filters by port, and says so to whoever asks with this. The type
lies in the Expert Review range of RFC 8489 section 18.3 like AWAKE-SEQUENCE's: any other server ignores it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.address import MAX_PORT
from natcore.stun.attributes.attribute import Attribute, check_length, check_range
from natcore.stun.header import TransactionId


@dataclass(frozen=True, slots=True)
class AlternatePort(Attribute):
    """ALTERNATE-PORT: "which other port of this address answers?", and the answer.

    A question has the size of its answer, so that it amplifies nothing.

    ::

        +-------------------------------+-------------------------------+
        |             Port              |               0               |
        +-------------------------------+-------------------------------+

    Attributes:
        port: 0 in a request; the other port of the address that was written to in a response.
    """

    TYPE: ClassVar[int] = 0xDA02
    NAME: ClassVar[str] = "ALTERNATE-PORT"

    port: int = 0

    def __post_init__(self) -> None:
        check_range(self.NAME, self.port, 0, MAX_PORT)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes."""
        return self.port.to_bytes(2, "big") + bytes(2)

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 4 bytes, whose second half is ignored, or nothing, which means port 0."""
        if data:
            check_length(cls.NAME, data, 4)
        return cls(int.from_bytes(data[:2], "big"))
