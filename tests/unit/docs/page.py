"""A page of documentation of which the upper part is written by hand and the lower part by the code.

After a wanted change, write the lower parts again with ``NETLAB_WRITE_GOLDEN=1 pytest tests/unit/docs``, and
read whether the upper parts are still true.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "profiles"

MARKER = "<!-- Below: written by NETLAB_WRITE_GOLDEN=1 pytest tests/unit/docs, from the code. -->"


def compare_with_page(name: str, generated: str) -> None:
    """Checks that the page's lower part is what the code gives now; writes it, if that is what was asked."""
    path = FOLDER / f"{name}.md"
    prose, _, _ = path.read_text(encoding="utf-8").partition(MARKER)
    wanted = f"{prose.rstrip()}\n\n{MARKER}\n\n{generated}"
    if os.environ.get("NETLAB_WRITE_GOLDEN"):
        path.write_text(wanted, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == wanted


def prose_of(name: str) -> str:
    """What a person wrote."""
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8").partition(MARKER)[0]


def table(head: Iterable[str], rows: Iterable[Iterable[str]], *, align: str = "---") -> str:
    """A table of GitHub's Markdown; ``align`` is for all columns but the first."""
    head = list(head)
    rule = ["---", *([align] * (len(head) - 1))]
    cells = ([cell.replace("|", "\\|") for cell in row] for row in [head, rule, *rows])
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def section(title: str, *paragraphs: str) -> str:
    """A heading of the second level, and what stands below it."""
    return f"## {title}\n\n" + "\n".join(f"{one.rstrip()}\n" for one in paragraphs if one)


def link_to(name: str) -> str:
    """A link from one page of the folder to another."""
    return f"[{name}]({name}.md)"
