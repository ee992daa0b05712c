"""Every profile is what it says, and a NAT that is not fails the lab."""

from __future__ import annotations

from dataclasses import replace

import pytest

import netlab.construction
from netlab.errors import MislabelledNat
from netlab.lab import Lab
from netlab.namespaces import NamespaceBackend
from netlab.profiles import PROFILES, NatProfile, profile
from netlab.proof import Proof
from netlab.proof.everything import prove_profiles
from netlab.rules import RouterFacts, RuleScript, router_rules
from netlab.scenes import two_nats
from tests.lab.traces import traces_of

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def proofs() -> dict[str, Proof]:
    return {proof.profile: proof for proof in prove_profiles(tuple(PROFILES.values()), NamespaceBackend())}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_measures_as_it_claims(name: str, proofs: dict[str, Proof]) -> None:
    assert proofs[name].measured == proofs[name].claimed


def build_as(actual: NatProfile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every NAT of the next lab built with this behaviour, whatever its profile claims."""

    def rules(_claimed: NatProfile, facts: RouterFacts, *, seed: int = 1) -> tuple[RuleScript, ...]:
        return router_rules(actual, facts, seed=seed)

    monkeypatch.setattr(netlab.construction, "router_rules", rules)


@pytest.mark.parametrize(
    ("claimed", "actual", "difference"),
    [
        ("port-restricted", "full-cone", "filtering"),
        ("port-restricted", "address-restricted", "filtering"),
        ("address-restricted", "port-restricted", "filtering"),
        ("full-cone", "address-restricted", "filtering"),
        ("symmetric", "port-restricted", "mapping"),
        ("port-restricted", "symmetric", "mapping"),
        ("port-restricted", "naive", "early inbound"),
        ("naive", "port-restricted", "early inbound"),
        ("udp-blocked", "port-restricted", "udp blocked"),
        ("full-cone", "udp-blocked", "udp blocked"),
    ],
)
def test_a_mislabelled_nat_fails_the_lab(
    claimed: str, actual: str, difference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_as(profile(actual), monkeypatch)
    lab = Lab(two_nats(profile(claimed), profile("open")))
    with pytest.raises(MislabelledNat) as caught:
        lab.up()
    assert difference in caught.value.claimed
    assert caught.value.nat == "nat-elsa"
    assert traces_of(lab.name) == []


def test_a_forwarded_host_is_not_taken_for_a_full_cone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual how-to forwards every port to one host, also those that never sent anything."""

    def rules(profile: NatProfile, facts: RouterFacts, *, seed: int = 1) -> tuple[RuleScript, ...]:
        *sets, script = router_rules(profile, facts, seed=seed)
        last_chain = ":NL_POST - [0:0]\n"
        forward = f"-A NL_PRE -i {facts.wan} -p udp -j DNAT --to-destination {facts.hosts[0]}\n"
        return (*sets, replace(script, text=script.text.replace(last_chain, last_chain + forward)))

    monkeypatch.setattr(netlab.construction, "router_rules", rules)
    with pytest.raises(MislabelledNat) as caught, Lab(two_nats(profile("full-cone"), profile("open"))):
        pass
    assert caught.value.measured["unopened port reachable"] == "yes"
