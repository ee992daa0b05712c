from __future__ import annotations

from benchmarks.trials_summary import Group, amiss, exceptions_text, report_object, table_text
from netlab.profiles import profile
from peer.exit_codes import ExitCode
from tests.sim.trial import Circumstances, Ending, Trial

EASY, HARD = ("port-restricted", "port-restricted"), ("symmetric", "port-restricted")
APART = ("symmetric", "symmetric")


def trial(pair: tuple[str, str], *, rtt: float = 0.1) -> Trial:
    one, other = map(profile, pair)
    return Trial(caller=one, callee=other, seed=7, circumstances=Circumstances(rtt=rtt))


def met(seconds: float = 0.2, technique: str = "plain-checks") -> Ending:
    return Ending(code=ExitCode.OK, seconds=seconds, technique=technique, reason="", packets=10)


def failed(reason: str = "nothing reached us (28 checks)") -> Ending:
    return Ending(code=ExitCode.NO_PATH, seconds=10.0, technique=None, reason=reason, packets=30)


def test_times_are_of_those_that_met_and_in_their_own_round_trips() -> None:
    group = Group.of([(trial(EASY), met(0.2)), (trial(EASY, rtt=0.01), met(0.04)), (trial(EASY), failed())])
    assert (group.trials, group.direct) == (3, 2)
    assert group.rtts == {50: 3.0, 95: 4.0}
    assert group.techniques == {"plain-checks": 2}
    assert group.reasons == {"nothing reached us": 1}


def test_a_group_of_which_nobody_met_has_no_times() -> None:
    assert Group.of([(trial(APART), failed())]).rtts == {}


def test_one_failure_of_a_pair_that_must_connect_is_amiss_and_can_be_repeated_by_its_seed() -> None:
    (line,) = amiss([*[(trial(EASY), met())] * 99, (trial(EASY), failed())])
    assert line.startswith("port-restricted calls port-restricted, seed 7: 100 ms round trip")
    assert line.endswith("nothing reached us (28 checks)")


def test_a_meeting_of_a_pair_that_cannot_is_amiss() -> None:
    assert amiss([(trial(APART), failed())]) == []
    assert len(amiss([(trial(APART), met())])) == 1


def test_of_a_hard_pair_one_of_twenty_may_fail() -> None:
    def results(failures: int, of: int) -> list[tuple[Trial, Ending]]:
        return [(trial(HARD), failed() if number < failures else met()) for number in range(of)]

    assert amiss(results(1, of=2)) == []
    assert len(amiss(results(2, of=2))) == 2
    assert amiss(results(5, of=100)) == []
    assert len(amiss(results(6, of=100))) == 6


def test_the_table_and_the_object_have_every_promise_that_was_tried() -> None:
    results = [(trial(EASY), met()), (trial(HARD), met(1.0, "birthday-probing")), (trial(HARD), failed())]
    text = table_text(results)
    assert "plain checks are to connect it" in text
    assert "1 of 2" in text
    assert "symmetric x port-restricted: 1 of 2; else nothing reached us" in exceptions_text(results)
    report = report_object(results, 1.23)
    assert list(report["promises"]) == ["direct", "probable"]
    assert [pair["promise"] for pair in report["pairs"]] == ["direct", "probable"]
    assert report["amiss"] == []
