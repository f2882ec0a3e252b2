"""One answer of several platforms (S400)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import TERM_IDS, a_phenopacket

from cluster.errors import NotFound
from cluster.flow import search as flow_search
from cluster.flow.platform import Platform
from cluster.flow.search import asked_like, explained, find, put_in_order, put_together, search
from cluster.retrieval.index import CaseFilter
from cluster.retrieval.query import CaseHit, CaseQuery, SearchAnswer
from tests.unit.flow.world import World, a_pair, open_at, take_in

SEIZURE, TONIC, HEART = "HP:0001250", "HP:0002069", "HP:0001626"
NERVES, BOTH = "HP:0000707", "HP:0003000"


def together(
    query: CaseQuery, platforms: Sequence[Platform], limit: int | None = None
) -> SearchAnswer:
    """Ask platforms and make one answer, as the actors do."""
    found = [find(platform, query) for platform in platforms]
    order = put_in_order(query, found, platforms[0].ranking)
    by_name = {platform.platform_id: platform for platform in platforms}
    shown = [
        explained(by_name[name], query, found[0].patient, scores)
        for name, scores in order.scores.items()
    ]
    assert limit is None or sum(map(len, shown)) == limit
    return put_together(query, found, order, shown)


def varied(n_cases: int) -> list[dict[str, Any]]:
    """Cases of seven diseases; cases of one disease lie on both of two platforms."""
    return [
        a_phenopacket(
            f"c{n:02d}",
            observed=tuple(TERM_IDS[(n * step) % 6] for step in range(1, 2 + n % 3)),
            excluded=(TERM_IDS[(n + 3) % 6],) if n % 4 == 0 else (),
            disease=f"OMIM:{n % 7}" if n % 11 else None,
        )
        for n in range(n_cases)
    ]


@pytest.mark.parametrize("k", [1, 3, 10, 60])
@pytest.mark.parametrize("halves", ["by turns", "by disease", "one is empty"])
def test_two_halves_answer_as_one(tmp_path: Path, halves: str, k: int) -> None:
    """A4 A13: cases divided over platforms give the hits and diseases of one that has them all."""
    packets = varied(40)
    at_second = {
        "by turns": lambda n: n % 2,
        "by disease": lambda n: n % 7 > 2,
        "one is empty": lambda n: 0,
    }[halves]
    whole, first, second = (open_at(tmp_path, name) for name in ("whole", "first", "second"))
    take_in(whole, *packets)
    for platform, place in ((first, 0), (second, 1)):
        part = [packet for n, packet in enumerate(packets) if at_second(n) == place]
        if part:
            take_in(platform, *part)
    where = CaseFilter(state="own")
    for terms, absent in (((SEIZURE,), ()), ((BOTH, NERVES), (HEART,)), ((HEART,), (TONIC,))):
        query = CaseQuery(terms=terms, excluded=absent, where=where, k=k)
        expected = search(whole, query)
        found = together(query, (first, second), limit=min(k, 40))
        assert found.diseases == expected.diseases
        assert found.none_of_these == expected.none_of_these
        assert _unplaced(found) == _unplaced(expected)


def test_as_many_candidates_as_one_platform_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4 A13: where halves have more cases than are candidates, the answer is that of one."""
    monkeypatch.setattr(flow_search, "CANDIDATES", 12)
    platforms = [open_at(tmp_path, name) for name in ("whole", "first", "second")]
    for platform, part in zip(platforms, (slice(None), slice(0, 30), slice(30, 60)), strict=True):
        take_in(platform, *varied(60)[part])
    for terms, absent in (((SEIZURE,), ()), ((BOTH, NERVES), (HEART,)), ((HEART,), (TONIC,))):
        query = CaseQuery(terms=terms, excluded=absent, k=20)
        expected, found = search(platforms[0], query), together(query, platforms[1:], limit=12)
        assert (found.diseases, found.none_of_these) == (expected.diseases, expected.none_of_these)
        assert _unplaced(found) == _unplaced(expected)


def _unplaced(answer: SearchAnswer) -> list[CaseHit]:
    """Return the hits without where they lie, ties by case id."""
    changes = {"platform": "", "origin": "", "rare_feature": 0.0}
    hits = [hit.model_copy(update=changes) for hit in answer.hits]
    return sorted(hits, key=lambda hit: (-hit.score, hit.case_id))


def test_a_shared_case_counts_once_at_its_home(tmp_path: Path) -> None:
    """A4 A11: over several platforms a received copy is no hit, and does not count."""
    world = a_pair(tmp_path)
    platforms = list(world.platforms.values())
    query = CaseQuery(terms=(SEIZURE,), where=CaseFilter(state="own"))
    before = together(query, platforms)
    world.decide("north", {"a": 0.9})
    world.deliver()
    assert together(query, platforms) == before
    south = search(world.platforms["south"], CaseQuery(terms=(SEIZURE,)))
    assert [hit.origin for hit in south.hits] == ["north", "south"]
    assert [(hit.disease_id, hit.n_cases) for hit in south.diseases] == [("OMIM:100", 2)]


def test_texts_over_platforms_are_one_list(tmp_path: Path) -> None:
    """A4: hits by words and by filters come from every platform, best first."""
    world: World = a_pair(tmp_path)
    platforms = list(world.platforms.values())
    named = together(CaseQuery(where=CaseFilter(disease_id="OMIM:100"), k=3), platforms)
    assert [(hit.platform, hit.case_id) for hit in named.hits] == [
        ("north", "a"),
        ("north", "b"),
        ("south", "s"),
    ]
    said = together(CaseQuery(text="tonic clonic seizure"), platforms)
    assert [hit.case_id for hit in said.hits] == ["s", "a"]


def test_a_case_may_be_asked_about_elsewhere(tmp_path: Path) -> None:
    """A4: the terms of a case of one platform find cases of another, and not itself."""
    world = a_pair(tmp_path)
    north, south = world.platforms["north"], world.platforms["south"]
    query = asked_like(north, CaseQuery(like="a"))
    assert [hit.case_id for hit in together(query, [north, south]).hits] == ["s", "b"]
    with pytest.raises(NotFound, match="no such case"):
        asked_like(south, CaseQuery(like="a"))


def test_a_case_that_is_gone_by_then_is_no_hit(tmp_path: Path) -> None:
    """A4: between the order and its explanation a case may leave; the rest is still shown."""
    north = a_pair(tmp_path).platforms["north"]
    query = CaseQuery(terms=(SEIZURE,))
    found = find(north, query)
    (hit,) = explained(north, query, found.patient, {"a": 2.0, "gone": 3.0})
    assert (hit.case_id, hit.score) == ("a", 2.0)
