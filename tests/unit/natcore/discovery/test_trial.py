"""A trial: silence is believed late, after a control, and never where much gets lost."""

from __future__ import annotations

import pytest

from natcore.address import ReflexiveAddress, TransportAddress
from natcore.discovery.config import DiscoveryConfig
from natcore.discovery.plan import Role
from natcore.discovery.question import Question, plain
from natcore.discovery.trial import Trial, TrialState

BASE = TransportAddress.parse("192.168.7.10:40000")
SERVER = TransportAddress.parse("198.51.100.10:10080")
SEEN = ReflexiveAddress(TransportAddress.parse("203.0.113.7:40000"))
RTT = 0.2
GRACE = 0.1
CONFIG = DiscoveryConfig()
LITTLE = 0.05
"""A loss at which four rounds are enough: 0.05^4 is far under the risk."""


class Rehearsal:
    """A trial, and a hand that plays what the network does."""

    def __init__(self, doubtful: int = 2) -> None:
        self.doubtful = tuple(plain(Role.FILTERING, BASE, SERVER) for _ in range(doubtful))
        self.control = plain(Role.FILTERING, BASE, SERVER)
        self.trial = Trial(doubtful=self.doubtful, control=self.control, config=CONFIG, due_at=0.0)
        self.now = 0.0

    def advance(self, loss: float = LITTLE) -> tuple[Question, ...]:
        asked = self.trial.advance(self.now, rtt=RTT, loss=loss)
        if self.control in asked:
            self.control.due_at = self.now + 1.0
        return asked

    def ask_all(self, loss: float = LITTLE) -> int:
        """Lets rounds go by until the control is under way; returns how many there were in this call."""
        before = self.trial.rounds
        for _ in range(CONFIG.max_trial_rounds + 1):
            self.advance(loss)
            if self.trial.state is not TrialState.ASKING:
                return self.trial.rounds - before
            assert self.trial.due_at is not None
            self.now = self.trial.due_at
        raise AssertionError("a trial never came to its control")

    def answer(self, question: Question) -> None:
        question.mapped, question.due_at = SEEN, None

    def answer_control(self, loss: float = LITTLE) -> None:
        self.answer(self.control)
        self.advance(loss)

    def end_grace(self, loss: float = LITTLE) -> None:
        assert self.trial.due_at is not None
        self.now = self.trial.due_at
        self.advance(loss)


def test_rounds_follow_each_other_and_behind_the_last_goes_the_control() -> None:
    scene = Rehearsal()
    rounds = []
    for number in range(CONFIG.trial_rounds):
        scene.now = number * CONFIG.trial_interval
        rounds.append(scene.advance())
    assert rounds == [scene.doubtful] * 3 + [(*scene.doubtful, scene.control)]
    assert (scene.trial.state, scene.trial.due_at) == (TrialState.CONTROLLING, None)


def test_a_round_is_not_asked_before_it_is_due() -> None:
    scene = Rehearsal()
    scene.advance()
    scene.now = CONFIG.trial_interval - 0.001
    assert scene.advance() == ()
    scene.now = CONFIG.trial_interval
    assert scene.advance() == scene.doubtful


def test_silence_is_believed_only_after_the_control_and_the_grace() -> None:
    scene = Rehearsal()
    scene.ask_all()
    scene.now = 100.0
    assert scene.advance() == ()
    assert not scene.trial.is_final, "time alone proves nothing"
    scene.answer_control()
    assert (scene.trial.state, scene.trial.due_at) == (TrialState.GRACE, 100.0 + GRACE)
    scene.now = 100.0 + GRACE - 0.001
    scene.advance()
    assert not scene.trial.is_final
    scene.end_grace()
    assert scene.trial.state is TrialState.CONCLUDED


def test_what_comes_in_the_grace_still_counts() -> None:
    scene = Rehearsal()
    scene.ask_all()
    scene.answer_control()
    for one in scene.doubtful:
        scene.answer(one)
    scene.advance()
    assert scene.trial.state is TrialState.CONCLUDED
    assert scene.trial.due_at is None


def test_a_silent_control_spoils_the_silence() -> None:
    scene = Rehearsal()
    scene.ask_all()
    scene.control.due_at = None  # given up
    assert scene.advance() == ()
    assert (scene.trial.state, scene.trial.due_at) == (TrialState.SPOILED, None)


@pytest.mark.parametrize("how", ["answered", "turned", "refused"])
def test_it_ends_at_once_when_all_have_spoken(how: str) -> None:
    scene = Rehearsal()
    scene.advance()
    for one in scene.doubtful:
        assert not scene.trial.is_final
        if how == "answered":
            scene.answer(one)
        elif how == "turned":
            one.was_turned = True
        else:
            one.error = 420
    assert scene.advance() == ()
    assert (scene.trial.state, scene.trial.rounds) == (TrialState.CONCLUDED, 1)


def test_one_that_has_spoken_is_not_all() -> None:
    scene = Rehearsal()
    scene.advance()
    scene.answer(scene.doubtful[0])
    scene.now = CONFIG.trial_interval
    assert scene.advance() == scene.doubtful


def test_with_losses_there_are_more_rounds_and_another_control() -> None:
    scene = Rehearsal()
    scene.ask_all()
    scene.answer_control()
    scene.end_grace(loss=0.25)
    assert not scene.trial.is_final
    assert not scene.control.is_answered or scene.trial.rounds < 7, "the old answer does not count again"
    scene.now += CONFIG.trial_interval
    scene.ask_all(loss=0.25)
    assert scene.trial.rounds == 7, "0.25^7 is the first power of it under 1 in 10,000"
    assert not scene.control.is_answered
    scene.answer_control()
    scene.end_grace(loss=0.25)
    assert scene.trial.state is TrialState.CONCLUDED


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(0.1, TrialState.CONCLUDED), (0.101, TrialState.CONTROLLING)],
    ids=["at the risk", "over it"],
)
def test_four_rounds_are_enough_up_to_a_loss_of_a_tenth(loss: float, expected: TrialState) -> None:
    scene = Rehearsal()
    scene.ask_all()
    scene.answer_control()
    scene.end_grace(loss=loss * (1 - 1e-9))
    assert scene.trial.state is expected
    assert scene.trial.rounds == (4 if expected is TrialState.CONCLUDED else 5)


@pytest.mark.parametrize("loss", [0.562, 0.563, 0.9, 1.0])
def test_there_are_so_many_rounds_and_no_more(loss: float) -> None:
    scene = Rehearsal()
    scene.ask_all()
    for _ in range(CONFIG.max_trial_rounds):
        scene.answer_control()
        scene.end_grace(loss=loss)
        if scene.trial.is_final:
            break
        scene.now += CONFIG.trial_interval
        scene.ask_all(loss=loss)
    assert scene.trial.rounds == CONFIG.max_trial_rounds
    believed = loss**CONFIG.max_trial_rounds <= CONFIG.trial_risk
    assert scene.trial.state is (TrialState.CONCLUDED if believed else TrialState.SPOILED)
    assert believed == (loss < 0.5625), (
        "16 rounds outvote the loss of every second packet, not of three in five"
    )


@pytest.mark.parametrize("state", [TrialState.CONCLUDED, TrialState.SPOILED])
def test_the_end_is_final(state: TrialState) -> None:
    scene = Rehearsal()
    scene.trial.state, scene.trial.due_at = state, None
    scene.now = 1000.0
    assert scene.advance() == ()
    assert scene.trial.state is state
    assert scene.trial.is_final
