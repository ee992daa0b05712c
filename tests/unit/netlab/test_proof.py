from __future__ import annotations

from typing import Any

import pytest

from netlab.errors import MislabelledNat
from netlab.profiles import PROFILES, profile
from netlab.proof import Subject, claims_of, compare

ELSA = Subject(node="nat-elsa", profile=profile("port-restricted"), host="elsa")
PORT_RESTRICTED: dict[str, Any] = {
    "udp_blocked": False,
    "translated": True,
    "mapping": "endpoint-independent",
    "filtering": "address-and-port-dependent",
    "allocation": "preserving",
    "early_inbound": "drops",
    "unopened_port_reachable": False,
    "evidence": {"mapping": ["1 -> 2"]},
}


def test_what_measures_as_it_claims_holds() -> None:
    proof = compare(ELSA, PORT_RESTRICTED)
    assert proof.holds
    proof.require()
    assert proof.evidence == {"mapping": ["1 -> 2"]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mapping", "address-dependent"),
        ("filtering", "endpoint-independent"),
        ("allocation", "random"),
        ("early_inbound", "remaps"),
        ("early_inbound", None),
        ("unopened_port_reachable", True),
        ("translated", False),
        ("udp_blocked", True),
        ("mapping", "inconsistent"),
    ],
)
def test_each_property_alone_can_fail_a_proof(field: str, value: object) -> None:
    proof = compare(ELSA, PORT_RESTRICTED | {field: value})
    assert proof.differences == (field.replace("_", " "),)
    with pytest.raises(MislabelledNat):
        proof.require()


def test_nothing_measured_proves_nothing() -> None:
    for entry in PROFILES.values():
        assert not compare(Subject(node="nat", profile=entry, host="elsa"), {}).holds


def test_blocked_udp_is_all_that_a_udp_blocked_nat_claims() -> None:
    assert claims_of(profile("udp-blocked")) == {"udp blocked": "yes"}


def test_no_two_profiles_claim_the_same() -> None:
    claims = [tuple(claims_of(entry).items()) for entry in PROFILES.values()]
    assert len(set(claims)) == len(claims)
