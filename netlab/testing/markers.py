"""What the pytest plugin's markers ``nat`` and ``nat_matrix`` ask for, as topologies.

Whatever a test's author can get wrong is said here in one line, with the nearest right word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

from netlab.errors import UsageProblem
from netlab.nearest import guess
from netlab.profiles import NatProfile, profile
from netlab.topology import Topology
from netlab.topology.scenes import two_nats

_NUMBERS = ("rtt", "loss")
_DISTANCE = (*_NUMBERS, "dual_stack")
"""What both markers pass on to two_nats."""


class BadMarker(UsageProblem):
    """A marker that asks for no lab; the text says which part of it and what was expected."""


def default_topology() -> Topology:
    """What a test gets that asks for nothing: the commonest home router on both sides."""
    router = profile("port-restricted")
    return two_nats(router, router)


def topology_of(args: Sequence[object], options: Mapping[str, object], folder: Path) -> Topology:
    """The lab that ``nat(*args, **options)`` describes.

    Args:
        args: two profiles, by name or as values; or nothing beside the option ``topology``.
        options: ``rtt`` and ``loss`` of the core and ``dual_stack``, as
            :func:`netlab.topology.scenes.two_nats` takes them; or ``topology``, a Topology or the path of a
            TOML file.
        folder: where the path of a file starts, that of the test.

    Raises:
        UsageProblem: it describes none.
    """
    _require_known("nat", options, (*_DISTANCE, "topology"))
    if "topology" in options:
        if args or len(options) > 1:
            raise BadMarker("nat: topology says it all, expected nothing beside it")
        return _whole_topology(options["topology"], folder)
    if len(args) != 2:
        raise BadMarker(f"nat: got {len(args)} profiles, expected two, elsa's and anna's, or topology=...")
    elsa, anna = (_profile("nat", value) for value in args)
    return _pair("nat", elsa, anna, options)


def topologies_of(args: Sequence[object], options: Mapping[str, object]) -> dict[str, Topology]:
    """Every lab that ``nat_matrix(*args, **options)`` describes, by the name of its pair, ``elsa's:anna's``.

    Args:
        args: one list of profiles, elsa's, by name or as values.
        options: ``against``, a list of anna's, the same as elsa's by default; the rest as for ``nat``.

    Raises:
        UsageProblem: it describes none.
    """
    _require_known("nat_matrix", options, (*_DISTANCE, "against"))
    if len(args) != 1:
        raise BadMarker(f"nat_matrix: got {len(args)} arguments, expected one list of profiles")
    for_elsa = _profiles(args[0])
    for_anna = _profiles(options["against"]) if "against" in options else for_elsa
    distance = {name: value for name, value in options.items() if name != "against"}
    return {
        f"{elsa.name}:{anna.name}": _pair("nat_matrix", elsa, anna, distance)
        for elsa, anna in product(for_elsa, for_anna)
    }


def topology_of_parameter(value: object, folder: Path) -> Topology:
    """The lab that a parameter of the fixture describes: a pair of profiles, a Topology or a TOML file.

    Raises:
        UsageProblem: it describes none.
    """
    if isinstance(value, tuple | list):
        return topology_of(value, {}, folder)
    return _whole_topology(value, folder)


def _whole_topology(value: object, folder: Path) -> Topology:
    match value:
        case Topology():
            return value
        case str() | Path():
            from netlab.topology.file import load_topology  # most labs have no file

            try:
                return load_topology(folder / value)
            except OSError as problem:
                raise BadMarker(f"nat: topology: {folder / value}: {problem.strerror}") from None
        case _:
            raise BadMarker(f"nat: topology: got {value!r}, expected a Topology or the path of a TOML file")


def _pair(marker: str, elsa: NatProfile, anna: NatProfile, options: Mapping[str, object]) -> Topology:
    rtt, loss = (_number(marker, name, options.get(name, 0.0)) for name in _NUMBERS)
    dual_stack = options.get("dual_stack", False)
    if not isinstance(dual_stack, bool):
        raise BadMarker(f"{marker}: dual_stack: got {dual_stack!r}, expected True or False")
    return two_nats(elsa, anna, rtt=rtt, loss=loss, dual_stack=dual_stack)


def _profiles(value: object) -> tuple[NatProfile, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise BadMarker(f"nat_matrix: got {value!r}, expected a list of profiles")
    found = {one.name: one for one in (_profile("nat_matrix", each) for each in value)}
    if not found:
        raise BadMarker("nat_matrix: got an empty list, expected at least one profile")
    return tuple(found.values())


def _profile(marker: str, value: object) -> NatProfile:
    match value:
        case NatProfile():
            return value
        case str():
            return profile(value)
        case _:
            raise BadMarker(f"{marker}: profile: got {value!r}, expected the name of one, or a NatProfile")


def _number(marker: str, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        unit = "seconds, like 0.04" if name == "rtt" else "a probability, like 0.05"
        raise BadMarker(f"{marker}: {name}: got {value!r}, expected {unit}")
    return float(value)


def _require_known(marker: str, options: Mapping[str, object], known: Sequence[str]) -> None:
    for name in options:
        if name not in known:
            raise BadMarker(f"{marker}: unknown option {name!r}: {guess(name, known)}")
