"""A few of the trials that ``python -m benchmarks.trials`` holds by the thousand; every pair, both ways."""

from __future__ import annotations

import pytest

from benchmarks.trials_run import jobs_of, run_one
from benchmarks.trials_summary import amiss
from netlab.profiles import COMBINATIONS, PROFILES, profile
from peer.exit_codes import ExitCode
from tests.sim.trial import Circumstances, Ending, Promise, Trial, promise_of

TRIALS_A_PAIR = 2


def called(caller: str, callee: str, at: Circumstances | None = None, *, seed: int = 1) -> Ending:
    one, other = profile(caller), profile(callee)
    return Trial(caller=one, callee=other, seed=seed, circumstances=at or Circumstances()).run()


@pytest.mark.parametrize("caller", PROFILES)
def test_every_profile_calls_every_other_and_it_comes_to_what_it_should(caller: str) -> None:
    pairs = [(caller, callee) for callee in PROFILES]
    assert amiss([run_one(job) for job in jobs_of(pairs, TRIALS_A_PAIR * len(pairs))]) == []


@pytest.mark.parametrize("caller", COMBINATIONS)
def test_a_combination_calls_another_and_it_comes_to_what_it_should(caller: str) -> None:
    names = list(COMBINATIONS)
    pairs = [(caller, names[(names.index(caller) * 5 + step) % len(names)]) for step in (0, 4, 9)]
    assert amiss([run_one(job) for job in jobs_of(pairs, len(pairs))]) == []


def test_a_trial_can_be_repeated() -> None:
    trial = Trial.drawn(profile("symmetric"), profile("port-restricted"), 3)
    assert trial.run() == trial.run()


def test_the_time_of_an_easy_pair_is_two_round_trips_to_a_confirmed_path() -> None:
    ending = called("port-restricted", "port-restricted", Circumstances(rtt=0.1))
    assert ending.technique == "plain-checks"
    assert ending.seconds == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("pair", "technique"),
    [
        (("symmetric", "port-restricted"), "birthday-probing"),
        (("port-restricted", "symmetric-sequential"), "port-prediction"),
        (("symmetric-sequential", "symmetric-sequential"), "port-prediction"),
    ],
)
def test_a_hard_pair_meets_by_what_was_measured_of_its_nats(pair: tuple[str, str], technique: str) -> None:
    assert called(*pair, Circumstances(calls_after=12.0)).technique == technique


def test_who_cannot_meet_ends_as_peer_connect_does() -> None:
    assert called("udp-blocked", "open").code is ExitCode.NOT_AWAKE
    assert called("open", "udp-blocked").code is ExitCode.PEER_UNAVAILABLE
    apart = called("symmetric", "symmetric")
    assert (apart.code, apart.technique) == (ExitCode.NO_PATH, None)
    assert apart.reason.startswith("the two NATs keep the peers apart")


def test_what_shall_die_on_the_way_does_so_where_the_way_is_long_enough() -> None:
    """The openers of a symmetric side, where they arrive, move the mapping of a naive NAT."""

    def met(hops: int) -> int:
        return sum(
            called("symmetric", "naive", Circumstances(hops=hops), seed=seed).is_direct for seed in range(8)
        )

    assert met(12) == 8
    assert met(1) < 8


@pytest.mark.parametrize(
    ("pair", "promise"),
    [
        (("port-restricted", "port-restricted"), Promise.DIRECT),
        (("full-cone", "symmetric"), Promise.DIRECT),
        (("port-restricted", "symmetric"), Promise.PROBABLE),
        (("symmetric-sequential", "symmetric-sequential"), Promise.PROBABLE),
        (("naive", "port-restricted"), Promise.OPEN),
        (("naive", "symmetric"), Promise.OPEN),
        (("symmetric", "symmetric-sequential"), Promise.APART),
        (("open", "corporate"), Promise.APART),
    ],
)
def test_what_a_pair_promises(pair: tuple[str, str], promise: Promise) -> None:
    one, other = map(profile, pair)
    assert promise_of(one, other) is promise_of(other, one) is promise
