from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from netlab.matrix import page as page_module
from netlab.matrix.page import MAX_INLINED_TEXT, matrix_page, script_safe_json, time_step
from netlab.matrix.results import Matrix, matrix_object
from netlab.matrix.verdict import Verdict
from tests.unit.netlab.matrix.builders import HOSTILE, broken, contract, direct, failed, matrix


def embedded_data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


class Structure(HTMLParser):
    """What a browser would make of a page, as far as we ask."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open, []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def made() -> Matrix:
    runs = {
        ("peer", "open", "open"): (direct(0.063),),
        ("peer", "open", "naive"): (failed(Verdict.WORSE),),
        ("aioice", "open", "open"): (direct(0.7),),
        ("aioice", "naive", "naive"): (broken(),),
    }
    return matrix(("open", "naive"), runs, programs=(contract("peer"), contract("aioice")))


def hostile() -> Matrix:
    run = failed(Verdict.WORSE, reason=HOSTILE)
    bad = contract(description=HOSTILE)
    return matrix(("open",), {("peer", "open", "open"): (run,)}, programs=(bad,), command=("netlab", HOSTILE))


def test_every_cell_is_a_button_a_program_with_its_state_in_words(tmp_path: Path) -> None:
    buttons = [one for one in Structure(matrix_page(made(), tmp_path)).all("button") if "data-pair" in one]
    assert len(buttons) == 8
    first, second = buttons[:2]
    assert (first["data-pair"], first["data-program"], first["class"]) == ("0", "0", "t1")
    assert first["aria-label"] == "peer, open calls open: 1 direct, 63 ms; agrees"
    assert (second["data-program"], second["class"]) == ("1", "t4")
    assert [one["class"] for one in buttons[2:]] == ["worse", "not-run", *["not-run"] * 3, "broken"]


def test_what_decides_about_times_stands_above_the_table(tmp_path: Path) -> None:
    page = matrix_page(matrix(("open",), {}), tmp_path)
    assert "2026-01-02: one run of each, no delay, no loss, namespaces." in page.partition("<table>")[0]


def test_pairs_that_timing_decides_are_marked(tmp_path: Path) -> None:
    cells = [
        one["class"] for one in Structure(matrix_page(made(), tmp_path)).all("td") if "data-profile" in one
    ]
    assert cells == ["pair", "pair", "pair", "pair timing"]


def test_nothing_comes_from_outside(tmp_path: Path) -> None:
    page = matrix_page(made(), tmp_path)
    structure = Structure(page)
    assert not [one for _, one in structure.elements if one.get("src") or one.get("href")]
    assert not structure.all("link")
    assert not re.search(r"https?://", page)
    assert "@import" not in page
    assert "url(" not in page


def test_only_our_script_and_style_may_run(tmp_path: Path) -> None:
    page = matrix_page(made(), tmp_path)
    policy = next(one["content"] for one in Structure(page).all("meta") if one.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert body is not None
        digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_no_markup_is_made_of_data_by_the_script() -> None:
    script = (Path(page_module.__file__).parent / "page" / "page.js").read_text(encoding="utf-8")
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("):
        assert dangerous not in script


def test_the_embedded_data_are_the_json_and_survive_hostile_words(tmp_path: Path) -> None:
    for one in (made(), hostile()):
        carried = embedded_data(matrix_page(one, tmp_path))
        assert carried["matrix"] == json.loads(json.dumps(matrix_object(one)))


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    (tmp_path / "artefacts").mkdir()
    (tmp_path / "artefacts" / "x.stdout").write_text(HOSTILE, encoding="utf-8")
    bad = hostile()
    cells = tuple(
        replace(cell, runs=tuple(replace(run, artefacts=("artefacts/x.stdout",)) for run in cell.runs))
        for cell in bad.cells
    )
    page = matrix_page(replace(bad, cells=cells), tmp_path)
    structure = Structure(page)
    assert [one.get("type") for one in structure.all("script")] == ["application/json", None]
    assert not structure.all("img")
    assert "alert(1)" in page
    assert embedded_data(page)["texts"]["bodies"] == [HOSTILE]


def test_json_in_a_script_element_cannot_end_it() -> None:
    text = script_safe_json({"x": HOSTILE})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"x": HOSTILE}


def test_small_texts_are_inlined_once_without_what_differs_and_large_ones_cut(tmp_path: Path) -> None:
    rules = "# Generated by iptables-save v1 on {}\n:INPUT ACCEPT [{}:7]\n-A INPUT -j DROP\n"
    folder = tmp_path / "artefacts"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.rules.txt").write_text(rules.format(number, number), encoding="utf-8")
    (folder / "large.stdout").write_text("x" * (MAX_INLINED_TEXT + 1), encoding="utf-8")
    (folder / "elsa.pcap").write_bytes(b"\xa1\xb2")
    names = ("1.rules.txt", "2.rules.txt", "large.stdout", "elsa.pcap", "gone.txt")
    run = replace(direct(), artefacts=tuple(f"artefacts/{name}" for name in names))
    page = matrix_page(matrix(("open",), {("peer", "open", "open"): (run,)}), tmp_path)
    texts = embedded_data(page)["texts"]
    assert texts["paths"] == {
        "artefacts/1.rules.txt": 0,
        "artefacts/2.rules.txt": 0,
        "artefacts/large.stdout": 1,
    }
    assert texts["bodies"][0] == ":INPUT ACCEPT \n-A INPUT -j DROP\n"
    assert texts["bodies"][1].endswith("... the file has more")


def test_the_page_stays_small_enough_for_a_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MAX_INLINED", 10)
    (tmp_path / "a.stdout").write_text("x" * 10, encoding="utf-8")
    (tmp_path / "b.stdout").write_text("y", encoding="utf-8")
    run = replace(direct(), artefacts=("a.stdout", "b.stdout"))
    page = matrix_page(matrix(("open",), {("peer", "open", "open"): (run,)}), tmp_path)
    assert embedded_data(page)["texts"]["paths"] == {"a.stdout": 0}


def test_colours_change_at_the_steps() -> None:
    assert [time_step(seconds) for seconds in (0.0, 0.049, 0.05, 0.5, 1.99, 2.0, 99)] == [0, 0, 1, 4, 5, 6, 6]


def test_an_interrupted_matrix_says_so(tmp_path: Path) -> None:
    assert "Interrupted" in matrix_page(matrix(("open",), {}, is_complete=False), tmp_path)
    assert "Interrupted" not in matrix_page(made(), tmp_path)
