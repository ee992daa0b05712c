from __future__ import annotations

import pytest

from netlab.instruments import stunserver
from netlab.instruments.probe import wire


def response(question: bytes, mapped: tuple[str, int] = ("203.0.113.7", 40001)) -> bytes:
    parsed = stunserver.parse_request(question)
    assert parsed is not None
    return stunserver.build_response(
        parsed, mapped=mapped, origin=("192.0.2.1", 3478), other=("192.0.2.2", 3479)
    )


def test_probe_and_server_understand_each_other() -> None:
    question = wire.request(wire.CHANGE_PORT)
    assert wire.read_response(response(question)) == (wire.transaction_of(question), ("203.0.113.7", 40001))


@pytest.mark.parametrize("mapped", [("203.0.113.7", 40001), ("2001:db8::1", 40001)])
def test_no_truncation_of_a_response_is_taken_for_an_answer_or_raises(mapped: tuple[str, int]) -> None:
    whole = response(wire.request(), mapped)
    end = 32 if ":" not in mapped[0] else 44
    assert wire.read_response(whole[:end]) is not None
    for length in range(end):
        assert wire.read_response(whole[:length]) is None


@pytest.mark.parametrize("family", [0, 2, 3])
def test_an_address_whose_family_and_length_disagree_is_no_answer(family: int) -> None:
    whole = bytearray(response(wire.request()))
    whole[25] = family
    assert wire.read_response(bytes(whole)) is None


def test_a_request_is_no_answer() -> None:
    assert wire.read_response(wire.request()) is None
