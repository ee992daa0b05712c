"""What an outcome means beside what physics says."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from natcore.nat import EarlyInbound, expected_outcome
from natcore.nat import Outcome as Physics
from netlab.matrix.claim import Outcome
from netlab.profiles import NatProfile


class Verdict(StrEnum):
    """From the best to the worst news."""

    AGREES = "agrees"
    """As plain connectivity checks would do."""

    TIMING = "timing"
    """Whichever it was: with these NATs it depends on who was first."""

    BETTER = "better"
    """Direct where plain checks cannot be, by port prediction for example."""

    WORSE = "worse"
    """Not direct where plain checks would be."""

    DISPROVED = "disproved"
    """The program claims a direct path, and the lab saw none."""

    BROKEN = "broken"
    """No outcome: the lab or the program broke down."""


FAILURES = frozenset({Verdict.WORSE, Verdict.DISPROVED, Verdict.BROKEN})
"""What makes a matrix fail."""

_JUDGEMENTS = {
    (Physics.DIRECT, Outcome.DIRECT): Verdict.AGREES,
    (Physics.DIRECT, Outcome.RELAYED): Verdict.WORSE,
    (Physics.DIRECT, Outcome.FAILED): Verdict.WORSE,
    (Physics.IMPOSSIBLE, Outcome.DIRECT): Verdict.BETTER,
    (Physics.IMPOSSIBLE, Outcome.RELAYED): Verdict.AGREES,
    (Physics.IMPOSSIBLE, Outcome.FAILED): Verdict.AGREES,
    (Physics.TIMING, Outcome.DIRECT): Verdict.TIMING,
    (Physics.TIMING, Outcome.RELAYED): Verdict.TIMING,
    (Physics.TIMING, Outcome.FAILED): Verdict.TIMING,
}


def judge(expected: Physics, outcome: Outcome) -> Verdict:
    """The verdict on what really happened."""
    return _JUDGEMENTS[expected, outcome]


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The worst of some, or None of none."""
    order = list(Verdict)
    return max(verdicts, key=order.index, default=None)


def expectation(a: NatProfile, b: NatProfile) -> Physics:
    """What physics says of a pair of profiles."""
    return expected_outcome(a.seen, b.seen)


def note_on(a: NatProfile, b: NatProfile) -> str | None:
    """What a reader should know of a pair, or None."""
    if expectation(a, b) is not Physics.TIMING:
        return None
    movers = sorted({p.name for p in (a, b) if p.seen.early_inbound is EarlyInbound.REMAPS})
    return f"{' and '.join(movers)}: a packet that comes before our own moves the mapping, so timing decides"
