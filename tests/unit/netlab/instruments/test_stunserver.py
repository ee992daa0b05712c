from __future__ import annotations

import struct

import pytest

from netlab.instruments import probe, stunserver

REQUEST_ID = b"0123456789ab"


def test_a_response_is_laid_out_as_the_rfc_says() -> None:
    response = stunserver.build_response(
        REQUEST_ID, mapped=("203.0.113.7", 40001), origin=("192.0.2.1", 3478), other=("192.0.2.2", 3479)
    )
    assert response[:32] == bytes.fromhex("0101 0024 2112a442") + REQUEST_ID + bytes.fromhex(
        "0020 0008 00 01 bd53 ea12d545"
    )


@pytest.mark.parametrize(
    ("flags", "origin"),
    [
        (0, ("192.0.2.1", 3478)),
        (2, ("192.0.2.1", 3479)),
        (4, ("192.0.2.2", 3478)),
        (6, ("192.0.2.2", 3479)),
    ],
)
def test_change_request_chooses_where_the_answer_comes_from(flags: int, origin: tuple[str, int]) -> None:
    attributes = {0x0003: struct.pack("!I", flags)}
    assert stunserver.answer_from(("192.0.2.1", 3478), ("192.0.2.2", 3479), attributes) == origin


def test_response_port_chooses_where_the_answer_goes() -> None:
    question = probe.request(probe.response_port(5000))
    parsed = stunserver.parse_request(question)
    assert parsed is not None
    assert stunserver.answer_to(("203.0.113.7", 40001), parsed[1]) == ("203.0.113.7", 5000)


@pytest.mark.parametrize("length", range(20))
def test_a_truncated_header_is_no_request(length: int) -> None:
    assert stunserver.parse_request(probe.request()[:length]) is None


@pytest.mark.parametrize(
    "spoiled",
    [
        b"\x01\x01" + probe.request()[2:],
        probe.request()[:4] + bytes(4) + probe.request()[8:],
        probe.request() + b"1234",
        bytes(2000),
    ],
    ids=["a response", "wrong cookie", "wrong length", "zeros"],
)
def test_what_is_no_binding_request_is_not_answered(spoiled: bytes) -> None:
    assert stunserver.parse_request(spoiled) is None
