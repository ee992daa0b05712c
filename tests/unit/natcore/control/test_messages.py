from __future__ import annotations

import json

import msgspec
import pytest

from natcore.control.messages import (
    CLIENT_MESSAGES,
    MAX_CANDIDATES,
    MAX_ID_LENGTH,
    SERVER_MESSAGES,
    Change,
    ClientChange,
    ClientStatus,
    Introduction,
    Ping,
    Publish,
    Register,
    Status,
    WireCandidate,
    encode,
)
from natcore.control.stream import MAX_LINE_LENGTH

HOST = {"type": "host", "address": "192.0.2.1:5000", "priority": 1, "foundation": "1"}
PUBLISH = {"type": "publish", "ufrag": "abcd", "pwd": "p" * 22, "candidates": [HOST]}


def test_a_message_is_one_object_on_one_line_with_its_type_first() -> None:
    line = encode(Register(id="elsa\n", version=1))
    assert line == b'{"type":"register","id":"elsa\\n","version":1}\n'
    assert encode(Ping()) == b'{"type":"ping"}\n'


def test_the_types_are_what_the_protocol_says() -> None:
    def types(kinds: tuple[type[msgspec.Struct], ...]) -> set[object]:
        return {kind.__struct_config__.tag for kind in kinds}

    assert types(CLIENT_MESSAGES) == {
        "register",
        "publish",
        "connect",
        "decline",
        "unregister",
        "ping",
        "pong",
    }
    assert types(SERVER_MESSAGES) == {
        "registered",
        "roster",
        "announcement",
        "introduction",
        "trickle",
        "declined",
        "connect-refused",
        "fault",
        "goodbye",
        "ping",
        "pong",
    }


@pytest.mark.parametrize("client_id", ["a", "a" * MAX_ID_LENGTH, "A.b_c-9"])
def test_an_id_of_the_right_shape_decodes(client_id: str) -> None:
    row = msgspec.convert({"id": client_id, "status": "Asleep"}, ClientStatus)
    assert row == ClientStatus(id=client_id, status=Status.ASLEEP)


@pytest.mark.parametrize("client_id", ["", "a" * (MAX_ID_LENGTH + 1), "a b", "a\n", "ä", "a/b", 5, None])
def test_an_id_of_another_shape_does_not(client_id: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"id": client_id, "status": "Asleep"}, ClientStatus)


@pytest.mark.parametrize(
    "flaw",
    [
        {"ufrag": "abc"},
        {"ufrag": "ab:cd"},
        {"ufrag": "a" * 257},
        {"pwd": "p" * 21},
        {"candidates": [HOST] * (MAX_CANDIDATES + 1)},
        {"candidates": [{**HOST, "type": "magic"}]},
        {"candidates": [{**HOST, "priority": 0}]},
        {"candidates": [{**HOST, "priority": 2**31}]},
        {"candidates": [{**HOST, "foundation": ""}]},
        {"candidates": [{**HOST, "address": "1" * 65}]},
        {"candidates": None},
    ],
)
def test_one_flaw_in_a_publication_is_enough(flaw: dict[str, object]) -> None:
    assert msgspec.convert(PUBLISH, Publish).ufrag == "abcd"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**PUBLISH, **flaw}, Publish)


def test_fields_that_are_not_known_are_ignored() -> None:
    assert msgspec.convert({**PUBLISH, "colour": "blue"}, Publish) == msgspec.convert(PUBLISH, Publish)


def test_a_change_without_a_reason_does_not_carry_one() -> None:
    change = json.loads(msgspec.json.encode(ClientChange(id="elsa", change=Change.AWAKE)))
    assert change == {"id": "elsa", "change": "awake"}


def test_the_fullest_introduction_fits_a_line() -> None:
    candidate = WireCandidate(type="srflx", address="1" * 64, priority=2**31 - 1, foundation="f" * 32)
    introduction = Introduction(
        session="s" * 256,
        peer="p" * MAX_ID_LENGTH,
        controlling=False,
        ufrag="u" * 256,
        pwd="p" * 256,
        candidates=(candidate,) * (MAX_CANDIDATES + 4),
    )
    assert len(encode(introduction)) <= MAX_LINE_LENGTH
