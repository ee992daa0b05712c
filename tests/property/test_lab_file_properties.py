"""Files that describe labs and programs, with anything in them: a value, or a short line on what is wrong."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netlab.errors import BadTopology
from netlab.matrix.contract import BadContract, load_contract
from netlab.profiles import profile
from netlab.topology.file import load_topology, to_document
from netlab.topology.scenes import two_nats
from netlab.wiring import wire

PAIR = two_nats(profile("symmetric"), profile("stateful-firewall"), dual_stack=True)
LAB = to_document(PAIR) | {"profiles": {"mine": {"mapping": "address-dependent", "allocation": "random"}}}
CONTRACT = {
    "name": "punch",
    "timeout": 5.0,
    "needs": {"modules": ["aioice"], "backends": ["docker"]},
    "server": [{"argv": ["true", "{server}"], "ready": "listening"}],
    "callee": {"argv": ["true"], "ready": "^{id}", "ready_on": "server", "ends": True},
    "caller": {"argv": ["true", "{peer}"]},
    "exit_codes": {"direct": [0]},
}

WORDS = st.sampled_from(
    [
        *LAB,
        *LAB["nats"]["nat-elsa"],
        *LAB["hosts"]["elsa"],
        *CONTRACT,
        "delay",
        "jitter",
        "elsa",
        "inet",
        "mine",
    ]
)
ADDRESSES = st.sampled_from(
    [
        *("203.0.113.7", "192.168.1.1", "192.168.1.255", "127.0.0.1", "0.0.0.0", "224.0.0.1", "192.0.2.1"),
        *("2001:db8::1", "2001:db8::1%x\nnetns add y", "::1", "fe80::1", "::ffff:1.2.3.4", "0.0.0.0/0"),
        *("192.168.1.0/24", "192.0.2.0/24", "192.168.1.0/31", "2001:db8::/64", "2001:db8::/128", "::/0"),
    ]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | WORDS | ADDRESSES
NUMBERS = st.integers() | st.sampled_from([400, 20_000]).map(lambda bits: 1 << bits) | st.floats()
SCALARS = TEXTS | NUMBERS | st.booleans() | st.sampled_from([date(2026, 1, 1)])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def toml(value: object) -> str:
    """A value as TOML has it."""
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return json.dumps(value)
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > 10_000:
            return hex(value)
        case int() | float() | date():
            return str(value)
    raise TypeError(value)


def file_of(tables: dict[str, Any]) -> bytes:
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in tables.items()).encode()


@st.composite
def distorted(draw: st.DrawFn, whole: dict[str, Any]) -> bytes:
    """A good file in which a few things are others, or new, or gone."""
    tables = deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        place: Any = tables
        while isinstance(place, dict | list) and place:
            key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
            inner = place[key]
            if isinstance(inner, dict | list) and inner and draw(st.integers(0, 4)):
                place = inner
                continue
            match draw(st.sampled_from(["change", "add", "remove"])):
                case "change":
                    place[key] = draw(VALUES)
                case "add" if isinstance(place, dict):
                    place[draw(TEXTS)] = draw(VALUES)
                case "add" if isinstance(place, list):
                    place.append(draw(VALUES))
                case _:
                    del place[key]
            break
    return file_of(tables)


def require_one_line(problem: Exception) -> None:
    """What a terminal is going to show."""
    assert str(problem).isprintable()
    assert len(str(problem)) < 600


ANY = st.binary(max_size=200) | st.lists(TEXTS | st.sampled_from([*'[]{}="#.,\n'])).map("".join).map(
    str.encode
)
QUICK = settings(suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "x.toml"


@QUICK
@given(content=distorted(LAB) | ANY)
def test_a_topology_is_wired_with_plain_words_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        wiring = wire(load_topology(path), "nl-x")
    except BadTopology as problem:
        require_one_line(problem)
    else:
        text = wiring.links + "".join(wiring.batches.values())
        assert re.fullmatch(r"[a-z0-9_ .:/\n-]*", text), "what `ip` is told"


@QUICK
@given(content=distorted(CONTRACT) | ANY)
def test_a_contract_is_read_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        load_contract(path)
    except BadContract as problem:
        require_one_line(problem)


def test_what_is_not_distorted_is_read(path: Path) -> None:
    path.write_bytes(file_of(to_document(PAIR)))
    assert load_topology(path) == PAIR
    path.write_bytes(file_of(CONTRACT))
    assert load_contract(path).name == "punch"
