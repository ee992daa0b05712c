"""CONTROL-SEQUENCE, our own: what keeps a control message that came over UDP from being replayed.

The type lies in the Expert Review range of RFC 8489 section 18.3, and the method of the messages that carry
it in that of section 18.2: nobody else answers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.stun.attributes.attribute import Attribute, check_range
from natcore.stun.attributes.shapes import decode_unsigned
from natcore.stun.header import TransactionId


@dataclass(frozen=True, slots=True)
class ControlSequence(Attribute):
    """CONTROL-SEQUENCE: grows strictly from one message to the next of a session and a direction.

    Not AWAKE-SEQUENCE: a message that overtakes an Awake request must not make that one old.

    ::

        |  unsigned, 64 bits  |

    Attributes:
        value: 0 to 2^64 - 1.
    """

    TYPE: ClassVar[int] = 0xDA05
    NAME: ClassVar[str] = "CONTROL-SEQUENCE"

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
