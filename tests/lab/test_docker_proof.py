"""Every profile is what it says in containers as well: all of them measured at once, in one lab."""

from __future__ import annotations

import pytest

from netlab.docker.backend import DockerBackend
from netlab.profiles import COMBINATIONS, PROFILES, Boundary
from netlab.proof.everything import prove_profiles

pytestmark = [pytest.mark.lab, pytest.mark.docker]

EVERYTHING = {**PROFILES, **COMBINATIONS}

PATIENCE = 4.0
"""Seconds; the lifetime of ``short-lifetime``, 3 s, is waited for, longer ones are read from the kernel."""


def test_every_profile_measures_as_it_claims() -> None:
    found = prove_profiles(tuple(EVERYTHING.values()), DockerBackend(), patience=PATIENCE, opinions=False)

    assert {proof.profile: proof.measured for proof in found} == {
        proof.profile: proof.claimed for proof in found
    }
    assert [proof.profile for proof in found] == list(EVERYTHING)
    controls = {proof.profile: proof.measured["control: unasked datagram"] for proof in found}
    assert {name for name, control in controls.items() if control == "arrives"} == {
        name for name, profile in EVERYTHING.items() if profile.boundary is Boundary.NONE
    }
