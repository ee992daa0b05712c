"""What ``netlab prove`` must measure of a profile, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from inspect import signature

from netlab.profiles import NatProfile
from netlab.proof.claims import claims_of
from netlab.proof.everything import one_of_each, prove_profiles
from netlab.proof.opinions import TOOLS
from netlab.proof.subject import Subject, open_subject, subjects_of
from tests.unit.docs.page import section, table

_PATIENCE = signature(prove_profiles).parameters["patience"].default


def proof_section(profile: NatProfile) -> str:
    """Every property that is compared, what it must be, and who measures it."""
    return section(
        "Proof",
        f"`netlab prove {profile.name}` measures this and fails on any difference:",
        table(["property", "must be", "measured by"], _rows(_subject(profile))),
    )


def _rows(subject: Subject) -> Iterator[tuple[str, str, str]]:
    for name, claim in claims_of(subject, patience=_PATIENCE).items():
        yield name, claim, "netlab"
    for tool in TOOLS:
        limits = tool.limits(subject)
        for name, words in tool.expected(subject).items():
            if name not in limits:
                yield name, words, f"`{tool.program}`"


def _subject(profile: NatProfile) -> Subject:
    topology = one_of_each([profile])
    found = [subject for subject in subjects_of(topology) if subject.node == profile.name]
    if not found:
        return open_subject(topology, profile.name, profile)
    return replace(found[0], profile=profile)
