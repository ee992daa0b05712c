"""CONTROL-SEQUENCE, our own: what keeps a control message that came over UDP from being replayed.

The type lies in the Expert Review range of RFC 8489 section 18.3, and the method of the messages that carry
it in that of section 18.2: nobody else answers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from natcore.stun.attributes.shapes import SequenceAttribute


@dataclass(frozen=True, slots=True)
class ControlSequence(SequenceAttribute):
    """CONTROL-SEQUENCE: grows strictly from one message to the next of a session and a direction.

    Not AWAKE-SEQUENCE: a message that overtakes an Awake request must not make that one old.
    """

    TYPE: ClassVar[int] = 0xDA05
    NAME: ClassVar[str] = "CONTROL-SEQUENCE"
