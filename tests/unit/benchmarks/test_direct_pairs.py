from __future__ import annotations

from pathlib import Path

from benchmarks.direct_pairs_run import Call, Record, Setting, direct_pairs
from benchmarks.direct_pairs_summary import misses, report_object, table_text

QUIET = Setting(caller="full-cone", callee="port-restricted", loss=0.0)
LOSSY = Setting(caller="full-cone", callee="port-restricted", loss=0.1)
GOOD = Call(setting=QUIET, seconds=0.08, technique="plain-checks")
BAD = Call(setting=LOSSY, failure="caller: NoPath: none", why=("0.000 introduced", "10.000 failed"))


def test_pairs_that_need_more_than_plain_checks_are_not_called() -> None:
    pairs = direct_pairs()

    assert ("port-restricted", "port-restricted") in pairs
    assert ("symmetric", "address-restricted") in pairs
    for caller, callee in (("symmetric", "port-restricted"), ("naive", "naive"), ("open", "udp-blocked")):
        assert (caller, callee) not in pairs
    assert len(pairs) == len(set(pairs)) == 100


def test_a_record_goes_on_where_it_was_left(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    Record(file).add([GOOD, BAD])
    later = Record(file)
    later.add([GOOD])

    assert Record(file).calls == [GOOD, BAD, GOOD]
    assert later.made() == {QUIET: 2, LOSSY: 1}


def test_a_failed_call_and_one_that_was_not_made_are_missed() -> None:
    assert misses([QUIET, LOSSY], [GOOD, BAD], 2) == [
        "full-cone x port-restricted, 10% loss: caller: NoPath: none",
        "2 of 4 calls made",
    ]


def test_the_table_has_a_row_for_each_caller_and_loss_and_for_all() -> None:
    _, quiet, lossy, all_quiet, all_lossy = table_text([GOOD, BAD]).splitlines()

    assert quiet.split()[:8] == ["full-cone", "0%", "1", "1", "of", "1", "all,", "met"]
    assert "2.00 RTT" in quiet
    assert lossy.split()[:8] == ["full-cone", "10%", "1", "0", "of", "1", "all,", "MISSED"]
    assert all_quiet.startswith("all")
    assert "MISSED" in all_lossy


def test_json_keeps_why_a_call_failed() -> None:
    quiet, lossy = report_object([QUIET, LOSSY], [GOOD, BAD], 1, ["missed"])["pairs"]

    assert (quiet["connected"], quiet["calls"], quiet["techniques"]) == (1, 1, {"plain-checks": 1})
    assert lossy["connected"] == 0
    assert lossy["failures"] == [{"failure": BAD.failure, "why": list(BAD.why)}]
