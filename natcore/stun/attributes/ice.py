"""The attributes of an ICE connectivity check (RFC 8445 sections 7.1 and 16.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.stun.attributes.attribute import Attribute, check_range
from natcore.stun.attributes.shapes import FlagAttribute, decode_unsigned
from natcore.stun.header import TransactionId


@dataclass(frozen=True, slots=True)
class Priority(Attribute):
    """PRIORITY: what the sender's candidate is worth if this check discovers it.

    ::

        |  unsigned, 32 bits  |

    Attributes:
        value: 1 to 2^31 - 1 by RFC 8445 section 5.1.2; every 32-bit number is taken, because 7.3.1.3 only
            copies it.
    """

    TYPE: ClassVar[int] = 0x0024
    NAME: ClassVar[str] = "PRIORITY"

    value: int

    def __post_init__(self) -> None:
        check_range(self.NAME, self.value, 0, 2**32 - 1)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes."""
        return self.value.to_bytes(4, "big")

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 4 bytes."""
        return cls(decode_unsigned(cls.NAME, data, 4))


@dataclass(frozen=True, slots=True)
class UseCandidate(FlagAttribute):
    """USE-CANDIDATE: the controlling side nominates this pair."""

    TYPE: ClassVar[int] = 0x0025
    NAME: ClassVar[str] = "USE-CANDIDATE"


@dataclass(frozen=True, slots=True)
class RoleAttribute(Attribute):
    """What ICE-CONTROLLED and ICE-CONTROLLING look like.

    ::

        |  tie-breaker, unsigned, 64 bits  |

    Attributes:
        tie_breaker: 0 to 2^64 - 1, random; the larger one keeps the controlling role in a conflict.
    """

    tie_breaker: int

    def __post_init__(self) -> None:
        check_range(self.NAME, self.tie_breaker, 0, 2**64 - 1)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """8 bytes."""
        return self.tie_breaker.to_bytes(8, "big")

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 8 bytes."""
        return cls(decode_unsigned(cls.NAME, data, 8))


@dataclass(frozen=True, slots=True)
class IceControlled(RoleAttribute):
    """ICE-CONTROLLED: the sender believes that the other side nominates."""

    TYPE: ClassVar[int] = 0x8029
    NAME: ClassVar[str] = "ICE-CONTROLLED"


@dataclass(frozen=True, slots=True)
class IceControlling(RoleAttribute):
    """ICE-CONTROLLING: the sender believes that it nominates."""

    TYPE: ClassVar[int] = 0x802A
    NAME: ClassVar[str] = "ICE-CONTROLLING"
