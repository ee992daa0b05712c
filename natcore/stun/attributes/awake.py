"""Attributes of our own: what keeps an Awake request from being replayed, and the proof of an address.

Not from any RFC, and not registered: their types lie in the Expert Review range of RFC 8489 section 18.3,
where they are comprehension-optional, so any other STUN server ignores them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.stun.attributes.attribute import Attribute, check_length, check_range
from natcore.stun.attributes.shapes import SequenceAttribute
from natcore.stun.header import TransactionId

TOKEN_SIZE = 8
"""Bytes. Who cannot receive at an address guesses one in 10^19."""


@dataclass(frozen=True, slots=True)
class AwakeSequence(SequenceAttribute):
    """AWAKE-SEQUENCE: grows strictly from one Awake request of a session to the next.

    MESSAGE-INTEGRITY proves that a request was once made by the session's owner, not that it was made now
    and sent from here. The server therefore takes an Awake only when its number is above every number that
    the session has shown before; a copy from another address, which would move the client's reflexive
    address there, is old by then. A retransmission carries the number, and the transaction id, of its
    original.
    """

    TYPE: ClassVar[int] = 0xDA01
    NAME: ClassVar[str] = "AWAKE-SEQUENCE"


@dataclass(frozen=True, slots=True)
class AddressToken(Attribute):
    """ADDRESS-TOKEN: what the server says to a source address, and what who is really there can say back.

    MESSAGE-INTEGRITY proves who sent an Awake request, not that it came from where it seems to: a client
    could forge its source and have others aim at a stranger. Whoever repeats the token received it there.

    ::

        |  64 bits that only the server can make, for the source address of the request  |

    Attributes:
        token: 8 bytes.
    """

    TYPE: ClassVar[int] = 0xDA04
    NAME: ClassVar[str] = "ADDRESS-TOKEN"

    token: bytes

    def __post_init__(self) -> None:
        check_range(f"length of {self.NAME}", len(self.token), TOKEN_SIZE, TOKEN_SIZE)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """8 bytes."""
        return self.token

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 8 bytes."""
        check_length(cls.NAME, data, TOKEN_SIZE)
        return cls(data)
