"""What broken networks under open channels come to: noticed how soon, data back how soon, and targets."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.recovery_run import BACK_AFTER_NOTICE, NOTICED_IDLE, NOTICED_SENDING, Sample, Scene, Use
from netlab.cli.report import columns


def notice_target(scene: Scene) -> float:
    """Seconds in which the break is to be noticed."""
    return NOTICED_IDLE if scene.use is Use.IDLE else NOTICED_SENDING


def fault_of(sample: Sample) -> str | None:
    """What a sample missed, a clause; None where it met everything.

    A path that goes on, as through a rebooted NAT that preserves ports, need not be noticed: then data flow
    within the time in which a break is to be noticed.
    """
    limit = notice_target(sample.scene)
    if sample.ended:
        return f"the channel ended: {sample.ended}"
    if sample.back is None:
        return "no data any more"
    if sample.noticed is None:
        return None if sample.back <= limit else f"data after {sample.back:.2f} s, and nobody noticed"
    if sample.noticed > limit:
        return f"noticed after {sample.noticed:.2f} s, target {limit:g} s"
    if sample.back > BACK_AFTER_NOTICE:
        return f"data {sample.back:.2f} s after that, target {BACK_AFTER_NOTICE:g} s"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSummary:
    """All samples of one scene. Times are in seconds.

    Attributes:
        samples: how many.
        unnoticed: those whose path went on before anybody noticed.
        noticed: of the others, in order.
        back: in order; from the notice, or the first question that could be answered.
        faults: a line for each sample that missed something.
        why: the timelines of those samples that no answer came to.
    """

    scene: Scene
    samples: int
    unnoticed: int
    noticed: tuple[float, ...]
    back: tuple[float, ...]
    faults: tuple[str, ...]
    why: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, scene: Scene, samples: Sequence[Sample]) -> SceneSummary:
        """The summary."""
        return cls(
            scene=scene,
            samples=len(samples),
            unnoticed=sum(one.noticed is None for one in samples),
            noticed=tuple(sorted(one.noticed for one in samples if one.noticed is not None)),
            back=tuple(sorted(one.back for one in samples if one.back is not None)),
            faults=tuple(f"{scene}: {fault}" for one in samples if (fault := fault_of(one)) is not None),
            why=tuple(one.why for one in samples if one.why),
        )


def summaries(samples: Sequence[Sample]) -> list[SceneSummary]:
    """By scene, in the order of the samples."""
    scenes = dict.fromkeys(sample.scene for sample in samples)
    return [SceneSummary.of(scene, [one for one in samples if one.scene == scene]) for scene in scenes]


_HEAD = ("pair", "what", "use", "path went on", "noticed", "worst", "target", "data", "worst", "target", "")


def table_text(found: Sequence[SceneSummary]) -> str:
    """A row for each scene; "data" counts from the notice."""
    rows: list[tuple[str, ...]] = [_HEAD]
    for one in found:
        scene = one.scene
        verdict = f"MISSED {len(one.faults)} of {one.samples}" if one.faults else "met"
        rows.append(
            (
                " x ".join(scene.pair),
                scene.event.value,
                scene.use.value,
                f"{one.unnoticed} of {one.samples}",
                *_middle_and_worst(one.noticed),
                f"{notice_target(scene):g} s",
                *_middle_and_worst(one.back),
                f"{BACK_AFTER_NOTICE:g} s",
                verdict,
            )
        )
    return "\n".join(columns(rows))


def report_object(found: Sequence[SceneSummary]) -> dict[str, Any]:
    """The same as one JSON object; times are in seconds."""
    scenes = [
        {
            "pair": list(one.scene.pair),
            "event": one.scene.event.value,
            "use": one.scene.use.value,
            "samples": one.samples,
            "path_went_on": one.unnoticed,
            "noticed": [round(value, 3) for value in one.noticed],
            "noticed_target": notice_target(one.scene),
            "back": [round(value, 3) for value in one.back],
            "back_target": BACK_AFTER_NOTICE,
            "missed": list(one.faults),
            "why": [list(timelines) for timelines in one.why],
        }
        for one in found
    ]
    return {"missed": [fault for one in found for fault in one.faults], "scenes": scenes}


def _middle_and_worst(values: Sequence[float]) -> tuple[str, str]:
    return (f"{statistics.median(values):.2f} s", f"{values[-1]:.2f} s") if values else ("", "")
