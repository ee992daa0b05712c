"""The model of a NAT and a real one do the same with any script of packets.

Hypothesis writes the scripts, always the same ones unless HYPOTHESIS_PROFILE=explore. It shrinks what fails:
what is reported is the shortest story in which the two differ.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from natcore.nat import NatBehavior, PortAllocation
from netlab.backend import namespace_of
from netlab.lab import Lab
from netlab.model import Endpoint, NatModel, models_of
from netlab.profiles import COMBINATIONS, NatProfile, profile
from netlab.rules import RouterFacts
from netlab.rules.router import forget_scripts, router_rules
from netlab.rules.scripts import RuleScript
from netlab.tools import run_tool_in
from netlab.topology import Host, Interface, Nat, Topology
from netlab.topology.scenes import SERVER, SERVER_ADDRESSES, two_nats
from netlab.wiring import LAN, WAN
from tests.lab.twins import (
    MESSENGER_PORT,
    Answer,
    Disagreement,
    Knock,
    Send,
    Socket,
    Step,
    Turn,
    Twins,
    Wires,
)

pytestmark = pytest.mark.lab

USUAL_EXAMPLES = 14
"""Random scripts for each behaviour, beside the written ones; they take 0.03 s each."""

EXAMPLES = 300 if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else USUAL_EXAMPLES
MIN_STEPS, MAX_STEPS = 8, 14
MAX_SEEN = 6

INSIDE_PORTS = (40_000, 40_001)
REMOTE_PORTS = (5001, 5002)
WAN_ADDRESS = IPv4Address("203.0.113.7")
HOME = IPv4Network("192.168.1.0/24")
HOSTS = {"elsa": IPv4Address("192.168.1.10"), "anna": IPv4Address("192.168.1.20")}

_insides = st.sampled_from([0, 0, 0, 0, 1, 2, 3])  # what happens, happens to flows that have much in common
_remotes = st.sampled_from([0, 1, 1, 2, 2, 3])
_seen = st.integers(0, MAX_SEEN)
SCRIPTS = st.lists(
    st.one_of(
        st.builds(Send, _insides, _remotes),
        st.builds(Send, _insides, _remotes),
        st.builds(Send, _insides, _remotes),
        st.builds(Knock, _remotes, _seen),
        st.builds(Knock, _remotes, _seen),
        st.builds(Knock, _remotes, st.none()),
        st.builds(Answer, _seen),
        st.builds(Turn, _insides, _seen),
    ),
    min_size=MIN_STEPS,
    max_size=MAX_STEPS,
)


STORIES: tuple[list[Step], ...] = (
    # An early packet moves a mapping, for its sender and for others; another one moves it back.
    [Send(0, 0), Knock(1, None), Send(0, 1), Send(0, 2), Knock(3, 1), Send(0, 3), Send(0, 0)],
    # A stranger gets an answer, from where it knocked; then its other port is sent to.
    [Send(0, 0), Knock(2, 0), Send(0, 3), Answer(0), Send(0, 2), Knock(3, 0)],
    # A remote that has a mapping of its own knocks at another one.
    [Send(0, 0), Send(0, 1), Send(0, 2), Knock(1, 0), Answer(0), Send(0, 1), Knock(2, 0), Answer(1)],
    # Two hosts with one source port.
    [Send(0, 0), Send(2, 0), Send(2, 2), Send(0, 2), Knock(0, 0), Knock(0, 1), Knock(2, 1), Knock(2, 0)],
    # Two hosts meet by their external endpoints, and answer there.
    [Send(0, 0), Send(2, 0), Turn(0, 1), Answer(0), Turn(2, 0), Answer(1), Answer(2), Turn(0, 1), Turn(2, 2)],
    # A host reaches another one by two of its external endpoints, from one of its own.
    [Send(0, 0), Send(2, 0), Send(2, 2), Turn(0, 1), Turn(0, 2), Answer(0), Turn(0, 0), Turn(0, 3)],
    # Everybody sends to everybody.
    [Send(inside, remote) for inside in range(4) for remote in range(4)],
)
"""What a random script comes across too rarely."""


def scripted(test: Callable[..., None]) -> Callable[..., None]:
    """Hypothesis, with as many examples as a lab can play in a second."""
    for story in STORIES:
        test = example(script=story)(test)
    return settings(
        max_examples=EXAMPLES,
        derandomize=EXAMPLES == USUAL_EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )(given(script=SCRIPTS)(test))


# --- the labs ----------------------------------------------------------------------------------------------


class Home:
    """A lab with one router, whose profile is changed while it runs, and two hosts behind it."""

    def __init__(self, lab: Lab, wires: Wires) -> None:
        self._lab = lab
        self._wires = wires
        self._profile: NatProfile | None = None
        self._host_count = 0

    def twins(self, wanted: NatProfile, host_count: int) -> tuple[Twins, Callable[[], None]]:
        """The router with that profile beside its model, and how to make it forget."""
        facts = RouterFacts(
            wan=WAN,
            wan_address=WAN_ADDRESS,
            lan=LAN,
            lan_network=HOME,
            hosts=tuple(HOSTS.values())[:host_count],
        )
        self._apply(router_rules(wanted, facts))
        twins = Twins(
            wanted,
            wires=self._wires,
            insides=_inside_endpoints()[: host_count * len(INSIDE_PORTS)],
            remotes=_remote_endpoints(),
            messenger=_messenger(HOSTS["elsa"]),
            models=[NatModel(wanted.behavior, WAN_ADDRESS)],
        )
        scripts = forget_scripts(wanted, facts)
        return twins, lambda: self._apply(scripts)

    def _apply(self, scripts: Sequence[RuleScript]) -> None:
        for script in scripts:
            run_tool_in(namespace_of(self._lab.name, "nat"), script.tool, text=script.text)


def _inside_endpoints() -> list[Endpoint]:
    return [Endpoint(address, port) for address in HOSTS.values() for port in INSIDE_PORTS]


def _remote_endpoints() -> list[Endpoint]:
    return [Endpoint(address, port) for address in SERVER_ADDRESSES for port in REMOTE_PORTS]


def _messenger(inside: IPv4Address) -> tuple[Endpoint, Endpoint]:
    return Endpoint(inside, MESSENGER_PORT), Endpoint(SERVER_ADDRESSES[0], MESSENGER_PORT)


def _sockets(lab: Lab, node: str, endpoints: Sequence[Endpoint]) -> list[Socket]:
    namespace = namespace_of(lab.name, node)
    return [
        Socket(namespace, endpoint.address, endpoint.port)
        for endpoint in endpoints
        if isinstance(endpoint.address, IPv4Address)
    ]


@contextmanager
def one_processor() -> Iterator[None]:
    """Packets stay in order, and are mostly there when ``sendto`` returns."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    router = Nat(name="nat", profile=profile("port-restricted"), wan_address=WAN_ADDRESS, lan_network=HOME)
    hosts = [
        Host(name=name, interfaces=(Interface(nat="nat", addresses=(address,)),))
        for name, address in HOSTS.items()
    ]
    server = Host(name=SERVER, interfaces=(Interface(addresses=SERVER_ADDRESSES),))
    with ExitStack() as stack:
        stack.enter_context(one_processor())
        lab = stack.enter_context(Lab(Topology(nats=(router,), hosts=(server, *hosts)), prove=False))
        ours, theirs = _messenger(HOSTS["elsa"])
        sockets = _sockets(lab, SERVER, [*_remote_endpoints(), theirs])
        for name, address in HOSTS.items():
            own = [endpoint for endpoint in (*_inside_endpoints(), ours) if endpoint.address == address]
            sockets += _sockets(lab, name, own)
        wires = Wires(sockets)
        stack.callback(wires.close)
        yield Home(lab, wires)


# --- what is compared --------------------------------------------------------------------------------------


def changed(name: str, **changes: object) -> NatProfile:
    """A profile with some of its behaviour changed, and with that in its name."""
    plain = profile(name)
    behavior: NatBehavior = replace(plain.behavior, **changes)  # type: ignore[arg-type]
    label = ", ".join(f"{key} {value}" for key, value in changes.items())
    return replace(plain, name=f"{name} with {label}", behavior=behavior)


SUBJECTS = [
    *((one, 1) for one in COMBINATIONS.values() if one.behavior.allocation is PortAllocation.PRESERVING),
    *((one, 2) for one in COMBINATIONS.values()),
    *((profile(name), hosts) for name, hosts in [("naive", 1), ("naive", 2), ("symmetric", 1)]),
    (profile("short-lifetime"), 2),
    (profile("symmetric-small-pool"), 2),
    (profile("udp-blocked"), 1),
    (changed("symmetric", port_pool=4), 2),
    (changed("non-preserving-cone", port_pool=3), 2),
    (changed("symmetric-sequential", port_step=7), 2),
    (changed("symmetric-sequential", port_pool=5, port_step=3), 2),
    *(
        (changed(name, hairpinning=True), 2)
        for name in ("full-cone", "port-restricted", "adm-adf-random", "symmetric", "apdm-eif-sequential")
    ),
]


@pytest.mark.parametrize(
    ("subject", "host_count"), SUBJECTS, ids=[f"{one.name}, {hosts} hosts" for one, hosts in SUBJECTS]
)
def test_the_model_of_a_router_does_what_the_kernel_does(
    home: Home, subject: NatProfile, host_count: int
) -> None:
    twins, forget = home.twins(subject, host_count)

    @scripted
    def hold(script: list[Step]) -> None:
        play(twins, script, forget)

    hold()


@pytest.mark.parametrize("name", ["cgn-cone", "cgn-symmetric", "stateful-firewall"])
def test_the_models_of_a_whole_way_do_what_the_kernel_does(name: str) -> None:
    subject = profile(name)
    topology = two_nats(subject, profile("open"))
    (elsa,) = (host for host in topology.hosts if host.name == "elsa")
    (address,) = elsa.addresses
    assert isinstance(address, IPv4Address)
    insides = [Endpoint(address, port) for port in INSIDE_PORTS]
    ours, theirs = _messenger(address)
    with ExitStack() as stack:
        stack.enter_context(one_processor())
        lab = stack.enter_context(Lab(topology, prove=False))
        wires = Wires(
            [
                *_sockets(lab, SERVER, [*_remote_endpoints(), theirs]),
                *_sockets(lab, "elsa", [*insides, ours]),
            ]
        )
        stack.callback(wires.close)
        twins = Twins(
            subject,
            wires=wires,
            insides=insides,
            remotes=_remote_endpoints(),
            messenger=(ours, theirs),
            models=models_of(subject, WAN_ADDRESS),
        )

        def forget() -> None:
            for router in topology.nats:
                lab.events.forget(router.name)

        @scripted
        def hold(script: list[Step]) -> None:
            play(twins, [step for step in script if not isinstance(step, Turn)], forget)

        hold()


def play(twins: Twins, script: Sequence[Step], forget: Callable[[], None]) -> None:
    """Plays a script; a difference counts if it is there a second time.

    The kernel's own ports are not ours to seed. Two flows of a router that looks only for a free pair of
    endpoints draw one port once in 64,512 times, and no model can know when.
    """
    try:
        twins.play(script, forget)
    except Disagreement:
        twins.play(script, forget)
