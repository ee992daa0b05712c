"""Every profile is what it says, and a router that is not fails its proof, whatever it lies about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

import netlab.construction
from natcore.nat import EarlyInbound
from netlab.backend import namespace_of
from netlab.errors import MislabelledNat
from netlab.lab import Lab
from netlab.namespaces import NamespaceBackend
from netlab.profiles import COMBINATIONS, PROFILES, Boundary, NatProfile, profile
from netlab.proof import Proof
from netlab.proof.everything import one_of_each, prove_profiles
from netlab.proof.subject import subjects_of
from netlab.rules import RouterFacts, RuleScript, first_rules
from netlab.tools import run_tool_in
from netlab.topology.scenes import two_nats
from tests.lab.traces import traces_of

pytestmark = pytest.mark.lab

EVERYTHING = {**PROFILES, **COMBINATIONS}

PATIENCE = 4.0
"""Seconds; no lifetime here that is waited for is longer."""


@pytest.fixture(scope="module")
def proofs() -> dict[str, Proof]:
    found = prove_profiles(tuple(EVERYTHING.values()), NamespaceBackend(), patience=PATIENCE, opinions=True)
    return {proof.profile: proof for proof in found}


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_profile_measures_as_it_claims(name: str, proofs: dict[str, Proof]) -> None:
    assert proofs[name].measured == proofs[name].claimed


@pytest.mark.parametrize("name", EVERYTHING)
def test_with_punching_off_nothing_passes_where_anything_stands(name: str, proofs: dict[str, Proof]) -> None:
    stands = EVERYTHING[name].boundary is not Boundary.NONE
    assert proofs[name].measured["control: unasked datagram"] == ("stopped" if stands else "arrives")


def changed(name: str, **changes: Any) -> NatProfile:
    """A profile whose behaviour differs in some properties."""
    entry = profile(name)
    return replace(entry, behavior=replace(entry.behavior, **changes))


def lasting(seconds: float, **changes: Any) -> NatProfile:
    return changed("port-restricted", mapping_lifetime=seconds, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """A router that is built as one thing and claims to be another, and what must give it away."""

    built: NatProfile
    claimed: NatProfile
    differences: set[str]


def lie(built: NatProfile | str, claimed: NatProfile | str, *differences: str) -> Lie:
    entries = [profile(one) if isinstance(one, str) else one for one in (built, claimed)]
    return Lie(built=entries[0], claimed=entries[1], differences=set(differences))


SILENT, REFRESHED = lasting(2.0, inbound_refresh=False), lasting(2.0)
HAIRPINNING = changed("full-cone", hairpinning=True)

LIES = {
    "a full cone as restricted": lie("full-cone", "port-restricted", "filtering"),
    "an address-restricted as port-restricted": lie("address-restricted", "port-restricted", "filtering"),
    "a port-restricted as address-restricted": lie("port-restricted", "address-restricted", "filtering"),
    "an address-restricted as a full cone": lie("address-restricted", "full-cone", "filtering"),
    "a cone as address-dependent": lie("eim-apdf-random", "adm-apdf-random", "mapping"),
    "an address-dependent as symmetric": lie("adm-apdf-random", "apdm-apdf-random", "mapping"),
    "a symmetric as address-dependent": lie("apdm-apdf-random", "adm-apdf-random", "mapping"),
    "a symmetric as a cone": lie("apdm-apdf-random", "eim-apdf-random", "mapping", "early inbound"),
    "random ports as preserved": lie("non-preserving-cone", "port-restricted", "allocation"),
    "preserved ports as random": lie("port-restricted", "non-preserving-cone", "allocation"),
    "sequential ports as random": lie("symmetric-sequential", "symmetric", "allocation", "port pool"),
    "random ports as sequential": lie("symmetric", "symmetric-sequential", "allocation"),
    "a step of three as one": lie(
        changed("symmetric-sequential", port_step=3), "symmetric-sequential", "allocation"
    ),
    "a step of one as three": lie(
        "symmetric-sequential", changed("symmetric-sequential", port_step=3), "allocation"
    ),
    "a pool as twice as large": lie("symmetric-small-pool", changed("symmetric", port_pool=512), "port pool"),
    "a pool as half as large": lie("symmetric-small-pool", changed("symmetric", port_pool=128), "port pool"),
    "a pool as all ports": lie("symmetric-small-pool", "symmetric", "port pool"),
    "all ports as a pool": lie("symmetric", "symmetric-small-pool", "port pool"),
    "hairpinning hidden": lie(HAIRPINNING, "full-cone", "hairpinning"),
    "hairpinning claimed": lie("full-cone", HAIRPINNING, "hairpinning"),
    "a naive as dropping": lie("naive", "port-restricted", "early inbound"),
    "a dropping as naive": lie("port-restricted", "naive", "early inbound"),
    "moving random ports as staying": lie(
        changed("non-preserving-cone", early_inbound=EarlyInbound.REMAPS),
        "non-preserving-cone",
        "early inbound",
    ),
    "a shorter life than waited for": lie(
        lasting(1.0), lasting(4.0), "mapping lifetime", "outbound refresh", "inbound refresh"
    ),
    "a longer life than waited for": lie(lasting(4.0), lasting(2.0), "mapping lifetime"),
    "a shorter life than counted down": lie(lasting(60.0), "port-restricted", "mapping lifetime"),
    "a longer life than counted down": lie(lasting(300.0), "port-restricted", "mapping lifetime"),
    "refreshed from outside": lie(REFRESHED, SILENT, "inbound refresh"),
    "not refreshed from outside": lie(SILENT, REFRESHED, "inbound refresh"),
    "blocked UDP as corporate": lie("udp-blocked", "corporate", "tcp ports"),
    "corporate as blocked UDP": lie("corporate", "udp-blocked", "tcp ports"),
    "a firewall as a NAT": lie("stateful-firewall", "port-restricted", "translated", "hairpinning"),
    "a NAT as a firewall": lie("port-restricted", "stateful-firewall", "translated"),
    "a firewall as nothing": lie("stateful-firewall", "open", "control: unasked datagram", "filtering"),
    "a carrier's symmetric NAT as a cone": lie(
        "cgn-symmetric", "cgn-cone", "mapping", "hairpinning", "early inbound"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A router that is built as it claims, and then spoiled as no rules of ours would do it.

    Attributes:
        built: what it is and claims.
        spoil: what is done to it then.
        difference: the one property that must give it away.
        measured: how what is measured of it begins.
    """

    built: NatProfile
    spoil: Callable[[Lab, str], object]
    difference: str
    measured: str


def commanded(*argv: str) -> Callable[[Lab, str], object]:
    """A command, run in the router."""
    return lambda lab, router: run_tool_in(namespace_of(lab.name, router), argv)


def rewritten(chain: str, old: str, new: str) -> Callable[[Lab, str], object]:
    """A chain of its nft table with other words in it."""

    def rewrite(lab: Lab, router: str) -> None:
        namespace = namespace_of(lab.name, router)
        text = run_tool_in(namespace, ["nft", "list", "chain", "ip", "netlab", chain])
        assert old in text
        flush = f"flush chain ip netlab {chain}\n"
        run_tool_in(namespace, ["nft", "-f", "-"], text=flush + text.replace(old, new))

    return rewrite


def delayed_inside(lab: Lab, router: str) -> None:
    """Holds packets in the router's own hooks, where their flows are not confirmed yet."""
    lab.start_instrument(router, "delay.py", "--link=here=0.005,0,0", "--queue=0=here")
    commanded("iptables", "-t", "mangle", "-A", "FORWARD", "-j", "NFQUEUE", "--queue-num", "0")(lab, router)


STREAM = "net.netfilter.nf_conntrack_udp_timeout_stream"
FORWARD = "-t nat -A PREROUTING -i wan0 -p udp -j DNAT --to-destination 192.168.1.10"

FLAWS = {
    "every port forwarded to one host, as in the usual how-to": Flaw(
        built=profile("full-cone"),
        spoil=commanded("iptables", *FORWARD.split()),
        difference="control: unasked datagram",
        measured="arrives",
    ),
    "a delay in the NAT itself, so that each packet of a new flow has a port of its own": Flaw(
        built=profile("symmetric"), spoil=delayed_inside, difference="mapping", measured="inconsistent"
    ),
    "conversations that end sooner than other mappings": Flaw(
        built=profile("port-restricted"),
        spoil=commanded("sysctl", "-qw", f"{STREAM}=30"),
        difference="mapping lifetime",
        measured="30 to 1",
    ),
    "conversations that last longer than other mappings": Flaw(
        built=lasting(3.0),
        spoil=commanded("sysctl", "-qw", f"{STREAM}=120"),
        difference="mapping lifetime",
        measured="over 3.6 s",
    ),
    "permissions that nothing renews": Flaw(
        built=SILENT,
        spoil=rewritten("started_inside", "update @", "add @"),
        difference="outbound refresh",
        measured="no",
    ),
    "hairpinning that shows another port": Flaw(
        built=changed("eim-eif-random", hairpinning=True),
        spoil=rewritten("srcnat", "dnat meta l4proto { tcp, udp } goto allocate", "dnat masquerade random"),
        difference="hairpinning",
        measured="from another endpoint",
    ),
}


@pytest.fixture(scope="module")
def exposed() -> Iterator[dict[str, Proof]]:
    """What was measured of every liar and of every spoiled router, all in one lab."""
    claimed = {f"liar-{number}": one.claimed for number, one in enumerate(LIES.values())}
    built = [replace(one.built, name=name) for name, one in zip(claimed, LIES.values(), strict=True)]
    for number, flaw in enumerate(FLAWS.values()):
        built.append(replace(flaw.built, name=f"flaw-{number}"))
        claimed[f"flaw-{number}"] = flaw.built
    titles = dict(zip(claimed, [*LIES, *FLAWS], strict=True))
    with Lab(one_of_each(built), prove=False) as lab:
        for number, flaw in enumerate(FLAWS.values()):
            flaw.spoil(lab, f"flaw-{number}")
        subjects = [replace(subject, profile=claimed[subject.node]) for subject in subjects_of(lab.topology)]
        yield {titles[proof.node]: proof for proof in lab.measure(subjects, patience=PATIENCE)}


@pytest.mark.parametrize("title", LIES)
def test_a_router_that_lies_is_given_away_by_just_that(title: str, exposed: dict[str, Proof]) -> None:
    assert set(exposed[title].differences) == LIES[title].differences


@pytest.mark.parametrize("title", FLAWS)
def test_a_router_that_is_spoiled_is_given_away_by_just_that(title: str, exposed: dict[str, Proof]) -> None:
    flaw, proof = FLAWS[title], exposed[title]
    assert proof.differences == (flaw.difference,)
    assert proof.measured[flaw.difference].startswith(flaw.measured)


@pytest.mark.parametrize(
    ("claimed", "actual", "difference"),
    [
        ("port-restricted", profile("full-cone"), "filtering"),
        ("udp-blocked", profile("port-restricted"), "udp blocked"),
        ("full-cone", changed("full-cone", udp_blocked=True), "udp blocked"),
    ],
)
def test_a_mislabelled_nat_fails_the_lab(
    claimed: str, actual: NatProfile, difference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rules(_claimed: NatProfile, facts: RouterFacts, *, seed: int) -> tuple[RuleScript, ...]:
        return first_rules(actual, facts, seed=seed)

    monkeypatch.setattr(netlab.construction, "first_rules", rules)
    lab = Lab(two_nats(profile(claimed), profile("open")))
    with pytest.raises(MislabelledNat) as caught:
        lab.up()
    assert difference in caught.value.claimed
    assert caught.value.nat == "nat-elsa"
    assert traces_of(lab.name) == []


def test_both_families_of_a_dual_stack_home_are_proven() -> None:
    with Lab(two_nats(profile("symmetric"), profile("corporate"), dual_stack=True)) as lab:
        found = {proof.profile: proof for proof in lab.proofs}
    assert list(found) == ["symmetric", "symmetric, IPv6", "corporate", "corporate, IPv6"]
    assert found["symmetric, IPv6"].measured["translated"] == "no"
    assert found["symmetric, IPv6"].measured["mapping"] == "endpoint-independent"
    assert found["corporate, IPv6"].measured["udp blocked"] == "yes"


def test_two_homes_behind_one_carrier_do_not_disturb_each_others_proof() -> None:
    """Ports of a sequential NAT come one after the other only for one probe at a time."""
    (home, carrier), other = two_nats(profile("cgn-cone"), profile("open")).nats, "nat-other"
    scene = two_nats(profile("cgn-cone"), profile("open"))
    sequential = replace(
        carrier, profile=replace(carrier.profile, behavior=profile("eim-adf-sequential").behavior)
    )
    neighbour = replace(home, name=other, wan_address=home.wan_address + 1)
    elsa = next(host for host in scene.hosts if host.name == "elsa")
    leg = replace(elsa.interfaces[0], nat=other)
    hosts = (*scene.hosts, replace(elsa, name="otto", interfaces=(leg,)))
    topology = replace(scene, nats=(home, sequential, neighbour), hosts=hosts)
    with Lab(topology) as lab:
        assert [proof.measured["allocation"] for proof in lab.proofs] == ["sequential, step 1"] * 2
