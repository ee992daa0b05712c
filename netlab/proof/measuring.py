"""Measuring subjects in a lab that is up: the probe, the kernels' countdowns, and second opinions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from natcore.nat import PortAllocation
from netlab.backend import namespace_of
from netlab.errors import ProcessFailed
from netlab.instruments.launch import instrument_command
from netlab.proof.claims import is_waited_for
from netlab.proof.compare import Proof, compare, with_opinion
from netlab.proof.countdown import read_countdown
from netlab.proof.findings import Measurement
from netlab.proof.opinions import ask_tools
from netlab.proof.plan import probe_options, probe_timeout, rounds
from netlab.proof.programs import Programs, side_by_side
from netlab.proof.subject import Subject

_MAX_ATTEMPTS = 3
"""Probes of one subject: on a busy machine a short lifetime may be over before the kernel has been asked."""


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

    def measure(subject: Subject, programs: Programs) -> Proof:
        if not opinions:
            return _measure_one(lab, subject, programs, patience=patience)
        with ThreadPoolExecutor(max_workers=1) as aside:
            early = None
            if _may_talk_while_probed(subject, patience):
                early = aside.submit(ask_tools, lab, subject, programs)
            proof = _measure_one(lab, subject, programs, patience=patience)
            return with_opinion(proof, early.result() if early else ask_tools(lab, subject, programs))

    proofs: dict[int, Proof] = {}
    for group in rounds(subjects):
        for subject, proof in zip(group, side_by_side(group, measure), strict=True):
            proofs[id(subject)] = proof
    return tuple(proofs[id(subject)] for subject in subjects)


def _may_talk_while_probed(subject: Subject, patience: float) -> bool:
    """Whether the tools may be asked while the probe keeps silent.

    Elsewhere they wait for its end: where ports are not preserved, each mapping shows in the next one's port.
    """
    is_preserving = subject.profile.seen.allocation is PortAllocation.PRESERVING
    return is_preserving and is_waited_for(subject.profile, patience)


def _measure_one(lab: str, subject: Subject, programs: Programs, *, patience: float) -> Proof:
    """The proof of one subject by the probe and the kernel."""
    for _ in range(_MAX_ATTEMPTS):
        measurement = _run_probe(lab, subject, programs, patience=patience)
        if "flow" not in measurement or not subject.routers or is_waited_for(subject.profile, patience):
            return compare(subject, measurement, patience=patience)
        countdown = read_countdown(
            lab,
            subject.routers,
            measurement["flow"],
            claimed=subject.profile.seen.mapping_lifetime,
            is_ipv6=subject.is_ipv6,
        )
        if countdown is not None:
            break
    return compare(subject, measurement, patience=patience, countdown=countdown)


def _run_probe(lab: str, subject: Subject, programs: Programs, *, patience: float) -> Measurement:
    namespace = namespace_of(lab, subject.host)
    label = f"probe in {namespace}"
    command = instrument_command(namespace, "probe", *probe_options(subject, patience=patience))
    done = programs.run(command, label=label, timeout=probe_timeout(subject, patience=patience))
    if done.returncode != 0:
        got = " / ".join(done.stderr.split("\n"))[-500:].strip(" /")
        raise ProcessFailed(label, expected="a measurement of its NAT", got=got)
    measurement: Measurement = json.loads(done.stdout)
    return measurement
