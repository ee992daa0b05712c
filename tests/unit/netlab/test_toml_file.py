from __future__ import annotations

import time
from pathlib import Path

import pytest

from netlab.toml_file import MAX_KEY_PARTS, BadToml, read_toml, shown


def read(folder: Path, content: bytes, *, max_size: int = 1 << 18) -> dict[str, object]:
    path = folder / "x.toml"
    path.write_bytes(content)
    return read_toml(path, max_size=max_size)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff", "not a TOML file: got bytes that are not UTF-8"),
        (b"x", "not a TOML file: "),
        (b"x = " + b"[" * 5000, "got values within values without end"),
        (b"x = " + b"{ x = " * 2000, "got values within values without end"),
        (b"x = " + b"1" * 5000, "got a number of thousands of digits"),
        (b"x" + b".x" * MAX_KEY_PARTS + b" = 1", "got a key of more than 32 parts, expected fewer"),
        (b"['x'" + b' . "x"' * MAX_KEY_PARTS + b"]", "got a key of more than 32 parts, expected fewer"),
        (b"#" * ((1 << 18) + 1), "got more than 262144 bytes, expected fewer"),
    ],
)
def test_what_cannot_be_read_is_one_error(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(BadToml) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfx = 1",
        b"a" * 200_000 + b" = 1",
        b"x = [" + b'"192.0.2.1",' * 15_000 + b"]",
        b"a.b.c.d = 1.5",
        b"",
    ],
    ids=["with the mark of an editor", "a long word", "many addresses", "few parts", "nothing"],
)
def test_what_can_be_read_is_read_at_once(tmp_path: Path, content: bytes) -> None:
    started = time.process_time()
    read(tmp_path, content)
    assert time.process_time() - started < 1


def test_no_time_is_spent_on_keys_without_end(tmp_path: Path) -> None:
    started = time.process_time()
    with pytest.raises(BadToml):
        read(tmp_path, b"x" + b".x" * 100_000 + b" = 1")
    assert time.process_time() - started < 1


def test_a_value_is_shown_in_short() -> None:
    shown_as = {"a\n": r"'a\n'", "x" * 100: f"'{'x' * 60}...", 10**5000: "a number of thousands of digits"}
    for value, text in shown_as.items():
        assert shown(value) == text
