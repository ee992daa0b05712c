from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from netlab.errors import ToolFailed
from netlab.lab import Lab
from netlab.testing import post_mortem
from netlab.testing.markers import default_topology
from netlab.topology import Topology


@dataclass
class BrokenLab:
    """A lab after a failure, as far as its last words go."""

    artefacts: Path
    proofs: tuple[object, ...] = ()
    topology: Topology = field(default_factory=default_topology)
    trouble: Exception | None = None
    entries: int = 1

    def conntrack(self, nat: str) -> list[str]:
        if self.trouble:
            raise self.trouble
        return [f"udp      17 {number}  {nat}" for number in range(self.entries)]

    def last_words(self) -> list[str]:
        return post_mortem.tell(cast("Lab", self)).splitlines()


def test_programs_are_quoted_by_their_last_lines_and_the_silent_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "anna-chat.stderr").write_text("".join(f"line {number}\n" for number in range(10)))
    (tmp_path / "elsa-chat.stdout").write_text("half a li")
    (tmp_path / "elsa-chat.stderr").write_text("\n")
    words = BrokenLab(tmp_path).last_words()
    assert words[:3] == ["stderr of anna-chat:", "    ... 2 before", "    line 2"]
    assert words[10:12] == ["stdout of elsa-chat:", "    half a li"]
    assert "stderr of elsa-chat:" not in words


def test_of_the_labs_own_instruments_only_complaints_are_news(tmp_path: Path) -> None:
    (tmp_path / "inet-delay.stdout").write_text("READY\n")
    (tmp_path / "inet-delay.stderr").write_text("the queue is full\n")
    words = BrokenLab(tmp_path).last_words()
    assert words[:2] == ["stderr of inet-delay:", "    the queue is full"]


def test_what_a_program_wrote_cannot_play_tricks_with_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.stderr").write_bytes(b"\x1b[2Jgone\xff\n" + b"x" * 300)
    assert BrokenLab(tmp_path).last_words()[1:3] == [
        "    ?[2Jgone\N{REPLACEMENT CHARACTER}",
        f"    {'x' * 197}...",
    ]


def test_a_huge_output_is_read_from_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_mortem, "_MAX_OUTPUT", 20)
    (tmp_path / "a.stdout").write_text("first\n" * 1000 + "the last one\n")
    assert BrokenLab(tmp_path).last_words()[1:3] == ["    first", "    the last one"]


def test_the_memory_of_each_nat_is_bounded(tmp_path: Path) -> None:
    words = BrokenLab(tmp_path, entries=post_mortem.LAST_ENTRIES + 3).last_words()
    assert words[:3] == ["conntrack of nat-elsa: 15 entries", "    ... 3 before", "    udp 17 3 nat-elsa"]
    assert sum("nat-anna" in word for word in words) == post_mortem.LAST_ENTRIES + 1


def test_a_nat_that_cannot_be_asked_hides_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.stdout").write_text("hello\n")
    trouble = ToolFailed(["conntrack"], returncode=1, complaint="no such namespace")
    words = BrokenLab(tmp_path, trouble=trouble).last_words()
    assert words[1] == "    hello"
    assert words[2].startswith("conntrack of nat-elsa: not to be had (`conntrack` failed")
    assert len(words) == 4


def test_a_folder_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    assert BrokenLab(tmp_path / "gone", entries=0).last_words() == [
        "conntrack of nat-elsa: 0 entries",
        "conntrack of nat-anna: 0 entries",
    ]
