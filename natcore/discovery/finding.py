"""What discovery says of one property: a value with its evidence, or that it is unknown and why.

There is no third kind. What was not observed is never guessed, and every reason ends a sentence that begins
with "unknown, because".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

ValueT_co = TypeVar("ValueT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Known(Generic[ValueT_co]):
    """A property that was observed.

    Attributes:
        value: what it is.
        evidence: what was seen, in a few words and with addresses.
    """

    value: ValueT_co
    evidence: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A property that could not be observed.

    Attributes:
        reason: why not; what could be ruled out is said here, too.
    """

    reason: str


Finding: TypeAlias = Known[ValueT_co] | Unknown
