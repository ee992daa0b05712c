"""docs/profiles says what the code does: a page for each profile, and what joins them."""

from __future__ import annotations

import pytest

from natcore.nat import Outcome, expected_outcome
from netlab.profiles import PROFILES
from tests.unit.docs.fate import reason
from tests.unit.docs.page import FOLDER, compare_with_page, prose_of
from tests.unit.docs.profile_pages import (
    COMBINATIONS_PAGE,
    INDEX,
    combinations_page,
    index_page,
    profile_page,
)
from tests.unit.docs.rule_text import shortened


@pytest.mark.parametrize("name", PROFILES)
def test_a_page_says_what_its_profile_does(name: str) -> None:
    compare_with_page(name, profile_page(PROFILES[name]))


def test_the_index_lists_every_profile_and_every_pair() -> None:
    compare_with_page(INDEX, index_page())


def test_the_page_of_combinations_lists_every_one() -> None:
    compare_with_page(COMBINATIONS_PAGE, combinations_page())


def test_every_profile_has_a_page_and_every_page_a_profile() -> None:
    pages = {path.stem for path in FOLDER.glob("*.md")}
    assert pages == {*PROFILES, INDEX, COMBINATIONS_PAGE}


@pytest.mark.parametrize("name", PROFILES)
def test_a_page_begins_with_its_name_and_with_words(name: str) -> None:
    title, _, words = prose_of(name).partition("\n")
    assert title == f"# {name}"
    assert len(words.split()) >= 20


def test_a_reason_is_the_same_seen_from_the_other_side() -> None:
    turned = {"here": "there", "there": "here"}
    for one in PROFILES.values():
        for other in PROFILES.values():
            words = reason(other, one).split(" ")
            assert reason(one, other) == " ".join(turned.get(word, word) for word in words)


def test_only_a_naive_nat_has_a_pair_that_depends_on_timing() -> None:
    timed = {
        frozenset((one.name, other.name))
        for one in PROFILES.values()
        for other in PROFILES.values()
        if expected_outcome(one.seen, other.seen) is Outcome.TIMING
    }
    assert timed
    assert all("naive" in pair for pair in timed)


def test_what_repeats_itself_is_counted_and_a_list_of_ports_is_cut() -> None:
    text = "a\na\nb\nb\nb\nelements = { 0 : 1, 1 : 2, 2 : 3, 3 : 4, 4 : 5, 5 : 6 }\n"
    assert shortened(text) == "a\na\nb  # 3 times\nelements = { 0 : 1, 1 : 2, 2 : 3, 3 : 4, ... 5 : 6 }\n"
