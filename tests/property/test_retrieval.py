"""Similarity and explanation as measures."""

import numpy as np
import pytest
from builders import BOTH, NERVES, SEIZURE, TONIC, a_small_ontology
from hypothesis import given
from hypothesis import strategies as st

from cluster.retrieval.feature import vectors
from cluster.retrieval.ranking import explain, similarity

ONTOLOGY = a_small_ontology()
cases = st.lists(st.integers(0, BOTH), max_size=5)


@given(cases, cases)
def test_similarity_is_a_symmetric_share(one: list[int], two: list[int]) -> None:
    """A12: the same both ways, from 0 to 1, and 1 for the same informative closure."""
    score = similarity(one, two, ONTOLOGY)
    assert score == pytest.approx(similarity(two, one, ONTOLOGY))
    assert 0 <= score <= 1 + 1e-6
    if ONTOLOGY.information[ONTOLOGY.closure(one)].sum() > 0:
        assert similarity(one, one, ONTOLOGY) == pytest.approx(1.0)


@given(cases)
def test_an_implied_term_changes_nothing(case: list[int]) -> None:
    """A4 A12: naming a term's ancestors beside it gives the same vector and similarity."""
    implied = [*case, *ONTOLOGY.closure(case).tolist()]
    assert similarity(case, implied, ONTOLOGY) == pytest.approx(similarity(case, case, ONTOLOGY))
    one, two = vectors([case, implied], ONTOLOGY)
    assert np.allclose(one, two, atol=1e-6)


@given(cases, cases)
def test_an_explanation_holds(asked: list[int], found: list[int]) -> None:
    """A12: what is said to be common is an ancestor of both, and no better one exists."""
    for match in explain(asked, found, ONTOLOGY):
        ours, theirs = ONTOLOGY.row_of(match.asked), ONTOLOGY.row_of(match.found)
        through = ONTOLOGY.row_of(match.through)
        assert ours in asked
        assert theirs in found
        assert through in ONTOLOGY.ancestors(ours)
        assert through in ONTOLOGY.ancestors(theirs)
        common = [
            ONTOLOGY.information[row]
            for other in found
            for row in np.intersect1d(ONTOLOGY.ancestors(ours), ONTOLOGY.ancestors(other))
        ]
        assert match.information == pytest.approx(max(common))


def test_nearer_cases_score_higher() -> None:
    """A12: by hand, seizure (1 + 2) shares 3 of 6 with tonic-clonic, 1 of 3 with nerves."""
    assert similarity([SEIZURE], [TONIC], ONTOLOGY) == pytest.approx(1 / 2)
    assert similarity([SEIZURE], [NERVES], ONTOLOGY) == pytest.approx(1 / 3)
