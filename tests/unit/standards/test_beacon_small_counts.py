"""What can be learned of a small group from what a Beacon tells."""

from itertools import product

import pytest
from beacons import IDENTITY, asking, counting, people
from hypothesis import given
from hypothesis import strategies as st

from cluster.ontology import Ontology
from cluster.standards.beacon.answer import answer

SIZES_MAX = 90


def told(ontology: Ontology, count: int) -> int:
    """Return the number in the answer to a count."""
    summary = answer(IDENTITY, asking(ontology), count)["responseSummary"]
    assert summary["exists"] == (summary["numTotalResults"] > 0)
    return int(summary["numTotalResults"])


@pytest.mark.parametrize("granularity", ["boolean", "count", "record"])
def test_one_to_ten_are_answered_as_none(small_ontology: Ontology, granularity: str) -> None:
    """The whole answer is the same, so a single rare patient is not seen in it."""
    query = asking(small_ontology, "HP:0001250", requestedGranularity=granularity)
    none = answer(IDENTITY, query, 0)
    assert all(answer(IDENTITY, query, count) == none for count in range(1, 11))
    assert not none["responseSummary"]["exists"]
    assert answer(IDENTITY, query, 11)["responseSummary"]["exists"]


def test_every_answer_says_what_its_count_is(small_ontology: Ontology) -> None:
    """So that "does not exist" is no lie: it is told to mean fewer than eleven."""
    for count in (0, 5, 500):
        assert "fewer than 11" in answer(IDENTITY, asking(small_ontology), count)["info"]["counts"]


@given(
    only_a=st.integers(0, 40), both=st.integers(0, 40), only_b=st.integers(0, 12), rest=st.just(3)
)
def test_a_query_and_a_narrower_one_isolate_nobody(
    small_ontology: Ontology, only_a: int, both: int, only_b: int, rest: int
) -> None:
    """The group between them could have eleven sizes or more, none of them ruled out as small.

    Where all of them are under eleven, they are all of 0 to 10: that it is small is known, and
    nothing else, not even that there is somebody.
    """
    table = people(
        *[([1250], "", "")] * only_a,
        *[([1250, 1626], "", "")] * both,
        *[([1626], "", "")] * only_b,
        *[([], "", "")] * rest,
    )
    wide = told(small_ontology, counting(table, small_ontology, "HP:0001250"))
    narrow = told(small_ontology, counting(table, small_ontology, "HP:0001250", "HP:0001626"))
    sizes = {
        n - m
        for n, m in product(range(SIZES_MAX), repeat=2)
        if m <= n and (told_of[n], told_of[m]) == (wide, narrow)
    }
    assert only_a in sizes
    assert sizes == set(range(min(sizes), max(sizes) + 1))
    assert len(sizes) >= 11
    if max(sizes) < 11:
        assert sizes == set(range(11))


@given(women=st.integers(0, 30), men=st.integers(0, 30), others=st.integers(0, 30))
def test_a_whole_and_two_of_its_parts_isolate_nobody(
    small_ontology: Ontology, women: int, men: int, others: int
) -> None:
    """Beside a part that cannot be asked for, each part keeps all eleven sizes."""
    whole, first, second = (
        told(small_ontology, count) for count in (women + men + others, women, men)
    )
    sizes = {
        n
        for n, m in product(range(SIZES_MAX), repeat=2)
        if (told_of[n], told_of[m]) == (first, second)
        and any(told_of[n + m + o] == whole for o in range(SIZES_MAX))
    }
    assert women in sizes
    assert len(sizes) == 11


def _table() -> list[int]:
    """Return what is told of each count, as an attacker who reads the decision knows it."""
    return [count // 11 * 11 for count in range(3 * SIZES_MAX)]


told_of = _table()
