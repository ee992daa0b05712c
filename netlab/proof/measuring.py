"""Measuring subjects in a lab that is up: probes, countdowns and second opinions, all at once where they can."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.backend import namespace_of
from netlab.instruments.launch import run_probe
from netlab.proof.claims import claims_of
from netlab.proof.compare import Proof, compare, with_opinions
from netlab.proof.countdown import read_countdown
from netlab.proof.opinions import ask_tools
from netlab.proof.plan import probe_options, probe_timeout, rounds
from netlab.proof.subject import Subject
from netlab.tools import for_each


def measure_subjects(
    lab: str, subjects: Sequence[Subject], *, patience: float = 0.0, opinions: bool = False
) -> tuple[Proof, ...]:
    """The proofs of all subjects, in their order; a STUN server must be running on the lab's core.

    Args:
        lab: its name.
        subjects: what to measure; those that share no router are measured side by side.
        patience: seconds for which a mapping's lifetime is waited for. What lives longer is read from the
            kernel, and with 0 everything is.
        opinions: whether foreign tools are asked as well, which takes 6 s more.

    Raises:
        ProcessFailed: a probe failed, or the server that it asks.
        ToolFailed: a router cannot be read.
    """
    proofs: dict[int, Proof] = {}

    def measure(subject: Subject) -> None:
        proof = measure_one(lab, subject, patience=patience)
        proofs[id(subject)] = proof if not opinions else with_opinions(proof, ask_tools(lab, subject))

    for group in rounds(subjects):
        for_each(group, measure)
    return tuple(proofs[id(subject)] for subject in subjects)


def measure_one(lab: str, subject: Subject, *, patience: float) -> Proof:
    """The proof of one subject by the probe and the kernel.

    Raises:
        ProcessFailed: the probe failed.
        ToolFailed: a router cannot be read.
    """
    measurement = run_probe(
        namespace_of(lab, subject.host),
        probe_options(subject, patience=patience),
        timeout=probe_timeout(subject, patience=patience),
    )
    countdown = None
    if "flow" in measurement and subject.routers:
        countdown = read_countdown(
            lab,
            subject.routers,
            measurement["flow"],
            claimed=subject.profile.seen.mapping_lifetime,
            is_ipv6=subject.is_ipv6,
        )
    return compare(subject, measurement, patience=patience, countdown=countdown)
