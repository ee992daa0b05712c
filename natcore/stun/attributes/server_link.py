"""SERVER-LINK, our own: what makes a datagram between two rendezvous servers fresh.

The type lies in the Expert Review range of RFC 8489 section 18.3, and the method of the messages that carry
it in that of section 18.2: nobody else answers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.stun.attributes.attribute import Attribute, check_length, check_range
from natcore.stun.header import TransactionId

_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLink(Attribute):
    """SERVER-LINK: who speaks, to whom, and the how-manieth time.

    ::

        +---------------------------------------------------------------+
        |  sequence, 64 bits: grows from one message to the next        |
        +---------------------------------------------------------------+
        |  sender, 64 bits: random, another one after each start        |
        +---------------------------------------------------------------+
        |  receiver, 64 bits: its number, or 0 if it is not heard of    |
        +---------------------------------------------------------------+

    Attributes:
        sequence: 0 to 2^64 - 1, as all three.
        sender: the sender's number for itself.
        receiver: the receiver's, as the sender has heard it lately.
    """

    TYPE: ClassVar[int] = 0xDA03
    NAME: ClassVar[str] = "SERVER-LINK"

    sequence: int
    sender: int
    receiver: int

    def __post_init__(self) -> None:
        for number in (self.sequence, self.sender, self.receiver):
            check_range(self.NAME, number, 0, _MAX)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """24 bytes."""
        return b"".join(number.to_bytes(8, "big") for number in (self.sequence, self.sender, self.receiver))

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 24 bytes."""
        check_length(cls.NAME, data, 24)
        sequence, sender, receiver = (int.from_bytes(data[at : at + 8], "big") for at in (0, 8, 16))
        return cls(sequence=sequence, sender=sender, receiver=receiver)
