"""Every relative link in the documentation leads to something that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.docs.links import anchors, broken_links, targets
from tests.unit.docs.page import ROOT

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    assert broken_links(document, ROOT) == []


def test_links_are_found_in_every_form_and_not_in_code() -> None:
    text = (
        "[a](a.md) ![b](b.png 'no') [![c](c.svg)](c.md) [d](<d.md>) [e](e.md \"title\")\n"
        '<a href="f.md">f</a> [g][one] `[h](h.md)` ``[`](i.md)``\n'
        "[k](https://example.org/k.md) [l](mailto:l@example.org)\n"
        "\n[one]: g.md\n\n```\n[j](j.md)\n```\n[m](#m)\n"
    )
    assert sorted(targets(text)) == ["#m", "a.md", "c.md", "c.svg", "d.md", "e.md", "f.md", "g.md"]


def test_anchors_are_spelled_as_github_spells_them() -> None:
    text = (
        "# The JSON: `netlab-matrix/1`\n## Who meets whom?\n## Who meets whom?\n### A [link](b.md) ##\n"
        '```\n# not this\n```\n<a id="here"></a>\n'
    )
    assert anchors(text) == {
        "the-json-netlab-matrix1",
        "who-meets-whom",
        "who-meets-whom-1",
        "a-link",
        "here",
    }


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "code.py").write_text("one = 1\n")
    (tmp_path / "docs" / "other.md").write_text("# There\n")
    document = tmp_path / "docs" / "one.md"
    document.write_text(
        "# Here\n[1](other.md) [2](other.md#there) [3](#here) [4](../code.py#L1) [5](/code.py) [6](.)\n"
        "[7](no.md) [8](other.md#here) [9](#there) [10](../code.py#L2) [11](../../etc) [12](..#there)\n"
    )
    assert broken_links(document, tmp_path) == [
        "no.md: no such file",
        "other.md#here: no such heading",
        "#there: no such heading",
        "../code.py#L2: no such line",
        "../../etc: outside of the repository",
        "..#there: a folder has no anchors",
    ]
