"""An attribute of our own: the number that makes an Awake request impossible to replay.

Not from any RFC, and not registered: its type lies in the Expert Review range of RFC 8489 section 18.3, where
it is comprehension-optional, so any other STUN server ignores it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.stun.attributes.attribute import Attribute, check_range
from natcore.stun.attributes.shapes import decode_unsigned
from natcore.stun.header import TransactionId


@dataclass(frozen=True, slots=True)
class AwakeSequence(Attribute):
    """AWAKE-SEQUENCE: grows strictly from one Awake request of a session to the next.

    MESSAGE-INTEGRITY proves that a request was once made by the session's owner, not that it was made now
    and sent from here. The server therefore takes an Awake only when its number is above every number that
    the session has shown before; a copy from another address, which would move the client's reflexive
    address there, is old by then. A retransmission carries the number, and the transaction id, of its
    original.

    ::

        |  unsigned, 64 bits  |

    Attributes:
        value: 0 to 2^64 - 1.
    """

    TYPE: ClassVar[int] = 0xDA01
    NAME: ClassVar[str] = "AWAKE-SEQUENCE"

    value: int

    def __post_init__(self) -> None:
        check_range(self.NAME, self.value, 0, 2**64 - 1)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """8 bytes."""
        return self.value.to_bytes(8, "big")

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 8 bytes."""
        return cls(decode_unsigned(cls.NAME, data, 8))
