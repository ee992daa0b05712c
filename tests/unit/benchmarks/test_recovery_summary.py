from __future__ import annotations

import pytest

from benchmarks.recovery_run import Break, Sample, Scene, Use
from benchmarks.recovery_summary import fault_of, report_object, summaries, table_text


def sample(noticed: float | None, back: float | None, *, use: Use = Use.IDLE, ended: str = "") -> Sample:
    scene = Scene(pair=("port-restricted", "full-cone"), event=Break.REBOOT, use=use)
    return Sample(scene=scene, noticed=noticed, back=back, ended=ended)


@pytest.mark.parametrize(
    ("noticed", "back", "use", "fault"),
    [
        (6.0, 3.0, Use.IDLE, None),
        (6.1, 0.1, Use.IDLE, "noticed after 6.10 s, target 6 s"),
        (1.0, 3.0, Use.NEAR, None),
        (1.1, 0.1, Use.FAR, "noticed after 1.10 s, target 1 s"),
        (0.5, 3.1, Use.FAR, "data 3.10 s after that, target 3 s"),
        (0.5, None, Use.FAR, "no data any more"),
        (None, 0.1, Use.IDLE, None),
        (None, 1.2, Use.NEAR, "data after 1.20 s, and nobody noticed"),
        (None, None, Use.NEAR, "no data any more"),
    ],
)
def test_what_misses_a_target(noticed: float | None, back: float | None, use: Use, fault: str | None) -> None:
    assert fault_of(sample(noticed, back, use=use)) == fault


def test_a_channel_that_ended_is_at_fault_whatever_it_did_before() -> None:
    assert fault_of(sample(0.1, 0.1, ended="closed by anna")) == "the channel ended: closed by anna"


def test_the_table_has_a_row_for_each_scene_with_its_targets() -> None:
    found = summaries([sample(4.0, 0.5), sample(None, 0.0), sample(1.5, 0.5, use=Use.NEAR)])
    _, idle, sending = table_text(found).splitlines()

    assert "1 of 2" in idle
    assert "6 s" in idle
    assert idle.endswith("met")
    assert "1 s" in sending
    assert sending.endswith("MISSED 1 of 1")


def test_json_says_what_was_missed_once_for_all_and_by_scene() -> None:
    report = report_object(summaries([sample(7.0, 0.5)]))

    assert report["missed"] == report["scenes"][0]["missed"]
    assert report["scenes"][0]["noticed"] == [7.0]
    assert "noticed after 7.00 s" in report["missed"][0]
