"""Where the links of a Markdown document lead, as GitHub reads it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

_FENCED = re.compile(r"^ {0,3}(```+|~~~+).*?^ {0,3}\1[`~]*$", re.MULTILINE | re.DOTALL)
_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_INLINE = re.compile(r"\]\(\s*<?([^\s)>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)", re.MULTILINE)
_HTML = re.compile(r"<\w[^>]*\b(?:href|src)=\"([^\"]+)\"")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_NAMED = re.compile(r"<\w[^>]*\b(?:id|name)=\"([^\"]+)\"")
_TEXT_OF_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_LINES = re.compile(r"L(\d+)(?:-L(\d+))?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def broken_links(document: Path, root: Path) -> list[str]:
    """Each relative link of a document that leads nowhere, with the reason."""
    text = document.read_text(encoding="utf-8")
    found = ((target, _problem(target, document, root)) for target in targets(text))
    return [f"{target}: {problem}" for target, problem in found if problem is not None]


def targets(text: str) -> Iterator[str]:
    """Where each link of a text leads that is not to another host; code is no link."""
    prose = _CODE_SPAN.sub("", _FENCED.sub("", text))
    for pattern in (_INLINE, _DEFINITION, _HTML):
        yield from (target for target in pattern.findall(prose) if not _SCHEME.match(target))


def anchors(text: str) -> set[str]:
    """What a ``#`` can lead to: headings, in GitHub's spelling, and named elements."""
    prose = _FENCED.sub("", text)
    seen: Counter[str] = Counter()
    found = set(_NAMED.findall(prose))
    for heading in _HEADING.findall(prose):
        slug = _slug(heading)
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def _slug(heading: str) -> str:
    words = _TEXT_OF_LINK.sub(r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def _problem(target: str, document: Path, root: Path) -> str | None:
    address, _, anchor = unquote(target).partition("#")
    base = root if address.startswith("/") else document.parent
    path = (base / address.lstrip("/")).resolve() if address else document
    if not path.is_relative_to(root.resolve()):
        return "outside of the repository"
    if not path.exists():
        return "no such file"
    if not anchor:
        return None
    if not path.is_file():
        return "a folder has no anchors"
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        lines = _LINES.fullmatch(anchor)
        last = lines and int(lines[2] or lines[1])
        return None if last and last <= len(text.splitlines()) else "no such line"
    return None if anchor in anchors(text) else "no such heading"
