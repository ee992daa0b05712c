from __future__ import annotations

import pytest

from netlab.errors import MislabelledNat
from netlab.profiles import COMBINATIONS, PROFILES
from netlab.proof import compare
from netlab.proof.compare import with_opinion
from netlab.proof.opinions import Opinion
from tests.unit.netlab.proof.subjects import PORT_RESTRICTED, subject

ELSA = subject("port-restricted")
COUNTDOWN = "120 s, by the kernel's countdown"


def test_what_measures_as_it_claims_holds() -> None:
    proof = compare(ELSA, PORT_RESTRICTED, countdown=COUNTDOWN)
    assert proof.measured == proof.claimed
    assert proof.holds
    proof.require()
    assert proof.evidence == {"mapping": ["1 -> 2"]}


@pytest.mark.parametrize(
    ("field", "value", "difference"),
    [
        ("mapping", "address-dependent", "mapping"),
        ("mapping", "inconsistent", "mapping"),
        ("filtering", "endpoint-independent", "filtering"),
        ("allocation", "random", "allocation"),
        ("early_inbound", "remaps", "early inbound"),
        ("early_inbound", None, "early inbound"),
        ("unasked_arrives", True, "control: unasked datagram"),
        ("translated", False, "translated"),
        ("udp_blocked", True, "udp blocked"),
        ("hairpinning", True, "hairpinning"),
        ("tcp_ports", [80, 443], "tcp ports"),
        ("tcp_ports", [], "tcp ports"),
    ],
)
def test_each_property_alone_can_fail_a_proof(field: str, value: object, difference: str) -> None:
    proof = compare(ELSA, PORT_RESTRICTED | {field: value}, countdown=COUNTDOWN)
    assert proof.differences == (difference,)
    with pytest.raises(MislabelledNat):
        proof.require()


def test_a_countdown_of_another_lifetime_fails_a_proof() -> None:
    proof = compare(ELSA, PORT_RESTRICTED, countdown="30 s, by the kernel's countdown")
    assert proof.differences == ("mapping lifetime",)


def test_a_lifetime_that_nobody_has_read_fails_a_proof() -> None:
    assert compare(ELSA, PORT_RESTRICTED).measured["mapping lifetime"] == "not measured"


@pytest.mark.parametrize("name", [*PROFILES, *COMBINATIONS])
def test_nothing_measured_proves_nothing(name: str) -> None:
    proof = compare(subject(name), {})
    assert set(proof.differences) == set(proof.claimed)


def test_a_tool_that_disagrees_fails_a_proof() -> None:
    proof = compare(ELSA, PORT_RESTRICTED, countdown=COUNTDOWN)
    opinion = Opinion(claimed={"mapping (x)": "Cone"}, said={"mapping (x)": "None"}, remarks={"y": "gone"})
    doubted = with_opinion(proof, opinion)
    assert doubted.differences == ("mapping (x)",)
    assert doubted.remarks == {"y": "gone"}
