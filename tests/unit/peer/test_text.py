from __future__ import annotations

import pytest

from peer.text import decoded, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Hello, Anna", "Hello, Anna"),
        ("héllo 日本 😀 e\u0301", "héllo 日本 😀 e\u0301"),
        ("a\\b", "a\\b"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x00\x07\x08\x7f", r"\x00\x07\x08\x7f"),
        ("one\r\ntwo\tthree", r"one\r\ntwo\tthree"),
        ("\x9b31m\x85", r"\x9b31m\x85"),
        ("\u202egnp.exe\u202c", r"\u202egnp.exe\u202c"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\ud800", r"\ud800"),
        ("\ue000\u0378", r"\ue000\u0378"),
        ("\U000e0041", r"\U000e0041"),
        ("no\xa0break", "no\xa0break"),
    ],
)
def test_what_could_act_on_a_terminal_is_escaped_and_the_rest_is_left_alone(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_no_character_at_all_comes_through_that_a_terminal_obeys() -> None:
    shown = printable("".join(map(chr, range(0x110000))))
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in shown)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"", ""),
        ("né".encode(), "né"),
        (b"a\xffb", "a\ufffdb"),
        (b"\xc3", "\ufffd"),
        (b"\xed\xa0\x80", "\ufffd" * 3),
    ],
)
def test_bytes_that_are_no_utf_8_become_replacement_characters(payload: bytes, text: str) -> None:
    assert decoded(payload) == text
