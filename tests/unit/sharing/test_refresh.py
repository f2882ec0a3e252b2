"""Related material: what is due, what is kept, what is pushed."""

from typing import Any

import pytest
from builders import an_item

from cluster.clock import DAY_S
from cluster.contracts.related import RelatedItem
from cluster.sharing.refresh import (
    SCORE_MIN,
    best_items,
    digest_of,
    is_due,
    may_see,
    new_or_changed,
)


def a_paper(number: int = 1, **changes: Any) -> RelatedItem:
    """Return a publication that a file named."""
    return an_item(f"PMID:{number}", **({"kind": "literature", "source": "file"} | changes))


@pytest.mark.parametrize(
    ("refreshed_at", "now", "due"),
    [
        (None, 0.0, True),
        (0.0, 0.0, False),
        (0.0, 7 * DAY_S - 1, False),
        (0.0, 7 * DAY_S, True),
        (5.0, 7 * DAY_S, False),
        (10 * DAY_S, 0.0, False),
    ],
)
def test_a_case_is_due_when_the_second_period_is_over(
    refreshed_at: float | None, now: float, due: bool
) -> None:
    """A12: never asked is due; after exactly one period it is due again."""
    assert is_due(refreshed_at, now, 7.0) is due


@pytest.mark.parametrize(
    "change",
    [
        {"item_id": "i2"},
        {"kind": "literature"},
        {"title": "B"},
        {"platform": "p"},
        {"score": 0.6},
        {"why": "x"},
        {"source": "file"},
    ],
)
def test_a_change_of_any_field_is_a_change(change: dict[str, Any]) -> None:
    """A12: an item whose any field differs has another digest."""
    assert digest_of(an_item(**change)) != digest_of(an_item())
    assert digest_of(an_item()) == digest_of(an_item())


def test_only_what_is_new_or_changed_is_pushed() -> None:
    """A12: of three items one is known, one changed and one new; two are pushed, in order."""
    items = [an_item("same"), an_item("changed"), an_item("new")]
    known = {
        "same": digest_of(an_item("same")),
        "changed": digest_of(an_item("changed", score=0.1)),
        "gone": "x",
    }
    assert [item.item_id for item in new_or_changed(items, known)] == ["changed", "new"]
    assert new_or_changed(items, {item.item_id: digest_of(item) for item in items}) == []


def test_the_best_cases_are_kept_each_once() -> None:
    """A12: best first, ties by id, the better of two same items, none below the least score."""
    items = [
        an_item("b", score=0.5),
        an_item("a", score=0.5),
        an_item("twice", score=0.2),
        an_item("twice", score=0.9),
        an_item("weak", score=SCORE_MIN / 2),
        an_item("least", score=SCORE_MIN),
    ]
    found = best_items(items, 10)
    assert [(item.item_id, item.score) for item in found] == [
        ("twice", 0.9),
        ("a", 0.5),
        ("b", 0.5),
        ("least", SCORE_MIN),
    ]
    assert [item.item_id for item in best_items(items, 2)] == ["twice", "a"]


def test_literature_stands_behind_the_cases_and_is_near_too() -> None:
    """A12: publications are kept beside the cases; what reports a far case is not related."""
    papers = [an_item(f"PMID:{n}", kind="literature", score=n / 100) for n in (1, 30)]
    found = best_items([*papers, an_item("case", score=0.2)], 5)
    assert [item.item_id for item in found] == ["case", "PMID:30"]
    assert best_items([], 5) == []


def test_of_equal_publications_the_newer_comes_first() -> None:
    """A12: so that a new one enters where all places are taken; as numbers, not as text."""
    papers = [a_paper(number) for number in (9, 100, 20)]
    found = best_items(papers, 2)
    assert [item.item_id for item in found] == ["PMID:100", "PMID:20"]
    assert best_items(reversed(papers), 2) == found


def test_one_publication_of_several_public_sources_is_one_item() -> None:
    """A12: the first gives the title, the best the score, and each its reason and its name."""
    (item,) = best_items(
        [
            a_paper(title="A", score=1.5, why="same gene G"),
            a_paper(title="B", score=2.5, why="same disease D", source="pubmed"),
            a_paper(title="C", score=1.5, why="same gene G", source="pubmed"),
        ],
        5,
    )
    assert (item.title, item.score) == ("A", 2.5)
    assert (item.why, item.source) == ("same gene G; same disease D", "file, pubmed")


@pytest.mark.parametrize("network_first", [True, False])
def test_what_only_some_may_see_is_not_mixed_into_what_is_public(network_first: bool) -> None:
    """A11 A12: one item a PMID; that south has a case of it stays between those who may know."""
    secret = a_paper(platform="south", audience=("north",), source="network", score=2.9, why="x")
    public = a_paper(why="same gene G")
    both = [secret, public] if network_first else [public, secret]
    assert best_items(both, 5) == [public]
    assert [may_see(public, name) for name in ("north", "west")] == [True, True]
    assert [may_see(secret, name) for name in ("south", "north", "west")] == [True, True, False]


def test_a_case_is_never_public() -> None:
    """A11: a case whose platform is not named is nobody's to tell."""
    assert not may_see(an_item("case", platform=""), "west")


def test_only_a_publication_has_a_link() -> None:
    """A12: made from the number; an id from elsewhere that is no PMID leads nowhere."""
    assert a_paper(17).link == "https://pubmed.ncbi.nlm.nih.gov/17/"
    for other in (an_item("PMID:1"), a_paper().model_copy(update={"item_id": 'PMID:1" x="'})):
        assert other.link == ""
