"""Questions whose answers may be filtered, and how silence is told from loss and from a slow road.

Theory of operation. The doubtful questions are asked in rounds. Behind the last round goes a control: a
plain question from the same socket, whose answer nothing filters. When the control is answered, whatever was
asked before it has had its time, however slow the road or the machine; a grace for another road is added.
Silence is then believed if so many rounds can hardly have been lost one by one, given the losses among all
plain questions so far. If they can, there are more rounds and another control.

It refuses to know what an answer means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from natcore.discovery.config import DiscoveryConfig
from natcore.discovery.question import Question


class TrialState(Enum):
    """Where a trial is."""

    ASKING = auto()
    """Rounds are due."""
    CONTROLLING = auto()
    """The control is under way."""
    GRACE = auto()
    """The control is answered; what comes late is waited for."""
    CONCLUDED = auto()
    """Silence means a filter now."""
    SPOILED = auto()
    """Silence means nothing: the control has no answer either, or too much gets lost."""


@dataclass(slots=True, eq=False)
class Trial:
    """See the module.

    Attributes:
        doubtful: asked together, a round at a time.
        control: a question that is not due yet.
        state: where the trial is.
        due_at: when something is to be done next; None in a final state.
        rounds: asked so far.
    """

    doubtful: tuple[Question, ...]
    control: Question
    config: DiscoveryConfig
    due_at: float | None
    state: TrialState = TrialState.ASKING
    rounds: int = 0
    _wanted: int = field(init=False)

    def __post_init__(self) -> None:
        self._wanted = self.config.trial_rounds

    @property
    def is_final(self) -> bool:
        """Whether it is over."""
        return self.state in (TrialState.CONCLUDED, TrialState.SPOILED)

    @property
    def has_spoken(self) -> bool:
        """Whether every doubtful question has its answer, so that there is no silence to interpret."""
        return all(one.is_answered or one.was_turned or one.error is not None for one in self.doubtful)

    def advance(self, now: float, *, rtt: float, loss: float) -> tuple[Question, ...]:
        """Does what is due; returns the questions to ask now.

        Args:
            now: seconds.
            rtt: the longest round trip so far.
            loss: the share of plain questions that had no answer.
        """
        if self.is_final:
            return ()
        if self.has_spoken:
            return self._end(TrialState.CONCLUDED)
        if self.state is TrialState.CONTROLLING:
            if self.control.is_answered:
                self.state, self.due_at = TrialState.GRACE, now + self.config.grace(rtt)
            elif not self.control.is_open:
                return self._end(TrialState.SPOILED)
            return ()
        if self.due_at is None or now < self.due_at:
            return ()
        return self._next_round(now) if self.state is TrialState.ASKING else self._judge(now, loss)

    def _next_round(self, now: float) -> tuple[Question, ...]:
        self.rounds += 1
        if self.rounds < self._wanted:
            self.due_at = now + self.config.trial_interval
            return self.doubtful
        self.state, self.due_at = TrialState.CONTROLLING, None
        self.control.mapped = None
        return (*self.doubtful, self.control)

    def _judge(self, now: float, loss: float) -> tuple[Question, ...]:
        """The grace is over: is silence certain enough, or are more rounds needed?"""
        if loss**self.rounds <= self.config.trial_risk:
            return self._end(TrialState.CONCLUDED)
        while self._wanted < self.config.max_trial_rounds and loss**self._wanted > self.config.trial_risk:
            self._wanted += 1
        if self._wanted == self.rounds:
            return self._end(TrialState.SPOILED)
        self.state = TrialState.ASKING
        return self._next_round(now)

    def _end(self, state: TrialState) -> tuple[Question, ...]:
        self.state, self.due_at = state, None
        return ()
