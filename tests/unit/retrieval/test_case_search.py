"""Candidates from the index, and what is counted beside them."""

import pytest
from builders import HEART, SEIZURE, MemoryIndex, feature_table

from cluster.retrieval.index import CaseFilter
from cluster.retrieval.profiles import Presentation
from cluster.retrieval.search import CaseSearch
from tests.unit.retrieval.ranking_cases import ONTOLOGY, a_row, as_loops

PATIENT = Presentation((SEIZURE,), (HEART,))
ROWS = [
    a_row("same", "OMIM:1", [1250], publication_id="PMID:1"),
    a_row("near", "OMIM:2", [2069], publication_id="PMID:1", state="received"),
    a_row("far", "OMIM:2", [1627], excluded=[1626], publication_id="PMID:2", sex="MALE"),
    a_row("none", "", []),
]


@pytest.fixture
def index() -> MemoryIndex:
    held = MemoryIndex()
    held.upsert(feature_table(*ROWS))
    return held


def test_candidates_come_nearest_first_with_their_evidence(index: MemoryIndex) -> None:
    """A4: every row of the evidence belongs to the candidate at its place."""
    table, evidence = CaseSearch(index, ONTOLOGY).look_up(PATIENT)
    assert table["case_id"].to_pylist()[:2] == ["same", "near"]
    assert evidence.diseases[:2] == ["OMIM:1", "OMIM:2"]
    assert evidence.likeness.matched[:2].tolist() == [2.0, 2.0]
    assert evidence.cosines[0] == pytest.approx(1.0, abs=1e-5)
    by_id = dict(zip(table["case_id"].to_pylist(), evidence.likeness.same_absent, strict=True))
    assert by_id == {"same": 0, "near": 0, "none": 0, "far": 1}


def test_a_filter_narrows_the_candidates_and_not_the_counts(index: MemoryIndex) -> None:
    """A4: diseases are compared over all cases, also where hits of one sex are asked for."""
    search = CaseSearch(index, ONTOLOGY)
    table, evidence = search.look_up(PATIENT, where=CaseFilter(sex="MALE"))
    assert table["case_id"].to_pylist() == ["far"]
    assert as_loops(evidence.counts) == as_loops(search.base.count(PATIENT))


def test_own_cases_only(index: MemoryIndex) -> None:
    """A4 A11: where only own cases are asked for, a received copy is no hit and does not count."""
    table, evidence = CaseSearch(index, ONTOLOGY).look_up(PATIENT, where=CaseFilter(state="own"))
    assert "near" not in table["case_id"].to_pylist()
    assert dict(zip(evidence.counts.diseases, evidence.counts.n_cases, strict=True)) == {
        "OMIM:1": 1,
        "OMIM:2": 1,
    }


def test_what_is_left_out_makes_room(index: MemoryIndex) -> None:
    """A4: as many candidates come back as if the cases that are left out were not there."""
    search = CaseSearch(index, ONTOLOGY)
    table, _ = search.look_up(PATIENT, candidates=1, left_out=search.base.places_of(["same"]))
    assert table["case_id"].to_pylist() == ["near"]


def test_a_changed_index_is_counted_anew(index: MemoryIndex) -> None:
    """A4: what was counted is kept until it is told that the index has changed."""
    search = CaseSearch(index, ONTOLOGY)
    assert len(search.base.profiles) == 4
    index.upsert(feature_table(a_row("new", "OMIM:3", [1250])))
    assert len(search.base.profiles) == 4
    search.forget()
    assert "OMIM:3" in search.look_up(PATIENT)[1].counts.diseases


def test_changed_cases_are_counted_beside_the_others(index: MemoryIndex) -> None:
    """A4: cases that came, or came again, after the first search count as if all were counted."""
    search = CaseSearch(index, ONTOLOGY)
    search.look_up(PATIENT)
    changes = [
        feature_table(a_row("new", "OMIM:3", [1250]), a_row("same", "OMIM:2", [1627])),
        feature_table(a_row("new", "OMIM:1", [2069]), a_row("odd", "", [1250], state="received")),
    ]
    for rows in changes:
        index.upsert(rows)
        search.learn(rows)
        afresh = CaseSearch(index, ONTOLOGY)
        for where in (CaseFilter(), CaseFilter(state="own")):
            (table, evidence), (same, whole) = (
                one.look_up(PATIENT, where=where) for one in (search, afresh)
            )
            assert table == same
            assert as_loops(evidence.counts) == as_loops(whole.counts)
    assert len(search.base.profiles) == len(ROWS)


def test_many_changed_cases_are_counted_anew(
    index: MemoryIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4: what stands beside the counted cases stays small."""
    monkeypatch.setattr("cluster.retrieval.search.CHANGED_MIN", 2)
    search = CaseSearch(index, ONTOLOGY)
    search.look_up(PATIENT)
    for number in range(3):
        rows = feature_table(a_row(f"new-{number}", "OMIM:3", [1250]))
        index.upsert(rows)
        search.learn(rows)
    assert len(search.base.profiles) == len(ROWS) + 3


def test_a_changed_case_can_be_left_out(index: MemoryIndex) -> None:
    """A4: also a case that came after the first search can be named as one that does not count."""
    search = CaseSearch(index, ONTOLOGY)
    search.look_up(PATIENT)
    rows = feature_table(a_row("new", "OMIM:9", [1250]))
    index.upsert(rows)
    search.learn(rows)
    table, evidence = search.look_up(PATIENT, left_out=search.places_of(["new"]))
    assert "new" not in table["case_id"].to_pylist()
    assert "OMIM:9" not in evidence.counts.diseases
