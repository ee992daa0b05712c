"""A gateway's own clock, by which its clients notice that it has lost their mappings.

Each answer carries the seconds since the gateway's table of mappings was last empty. A clock that is behind
what it must be by now has started anew.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class NatPmpEpoch:
    """Source: RFC 6886 section 3.6."""

    _value: int | None = None
    _at: float = 0.0

    def has_restarted(self, value: int, now: float) -> bool:
        """Takes the clock of an answer; tells whether the table was lost since the answer before."""
        # "7/8 of the time elapsed ... and then subtracts 2 seconds": clocks differ, and answers are late.
        expected = None if self._value is None else self._value + (now - self._at) * 7 / 8 - 2
        self._value, self._at = value, now
        return expected is not None and value < expected


@dataclass(slots=True)
class PcpEpoch:
    """Source: RFC 6887 section 8.5. A clock that runs too fast is as suspicious as one that went back."""

    _value: int | None = None
    _at: float = 0.0

    def has_restarted(self, value: int, now: float) -> bool:
        """Takes the clock of an answer; tells whether the table was lost since the answer before."""
        before, elapsed = self._value, now - self._at
        self._value, self._at = value, now
        if before is None:
            return False
        counted = value - before
        if counted < -1:  # one second back can be two answers that overtook one another
            return True
        return elapsed + 2 < counted - counted / 16 or counted + 2 < elapsed - elapsed / 16
