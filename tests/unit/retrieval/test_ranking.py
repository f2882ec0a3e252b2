"""The finer order, and why a case was found."""

import pytest
from builders import (
    ABNORMALITY,
    ALL,
    BOTH,
    HEART,
    HEART_SHAPE,
    NERVES,
    SEIZURE,
    TONIC,
)

from cluster.ontology import Ontology
from cluster.retrieval.ranking import explain, similarity


def test_simgic_by_hand(small_ontology: Ontology) -> None:
    """A12: tonic (1 + 2 + 3) and both (1 + 2 + 1 + 2 + 4) share 1 + 2 of 13."""
    assert similarity([TONIC], [BOTH], small_ontology) == pytest.approx(3 / 13)


def test_a_case_is_one_with_itself_and_nothing_with_a_stranger(small_ontology: Ontology) -> None:
    """A12: 1 for the same terms, 0 where only uninformative ancestors are shared."""
    assert similarity([TONIC, HEART], [HEART, TONIC], small_ontology) == pytest.approx(1.0)
    assert similarity([TONIC], [HEART_SHAPE], small_ontology) == 0.0


@pytest.mark.parametrize(("asked", "found"), [([], []), ([], [SEIZURE]), ([ALL], [ABNORMALITY])])
def test_nothing_known_is_no_similarity(
    asked: list[int], found: list[int], small_ontology: Ontology
) -> None:
    """A12: cases that say nothing are not alike, and nothing is divided by zero."""
    assert similarity(asked, found, small_ontology) == 0.0
    assert explain(asked, found, small_ontology) == ()


def test_an_explanation_goes_through_the_most_specific_common_ancestor(
    small_ontology: Ontology,
) -> None:
    """A12: tonic-clonic meets the mixed seizure in "seizure", not in "nervous system"."""
    (match,) = explain([TONIC], [BOTH, NERVES], small_ontology)
    assert (match.asked, match.found) == ("HP:0002069", "HP:0003000")
    assert match.through == "HP:0001250"
    assert match.information == pytest.approx(2.0)


def test_every_asked_term_has_its_best_match_most_informative_first(
    small_ontology: Ontology,
) -> None:
    """A12: one match for each asked-for term that has one; the same term is its own ancestor."""
    matches = explain([HEART, SEIZURE, ALL], [HEART_SHAPE, SEIZURE], small_ontology)
    assert [(m.asked, m.found, m.through) for m in matches] == [
        ("HP:0001250", "HP:0001250", "HP:0001250"),
        ("HP:0001626", "HP:0001627", "HP:0001626"),
    ]


def test_strangers_explain_nothing(small_ontology: Ontology) -> None:
    """A12: the root of everything is not a reason."""
    assert explain([TONIC], [HEART_SHAPE], small_ontology) == ()


def test_equal_matches_have_one_answer(small_ontology: Ontology) -> None:
    """A12: of two equally near terms the lower is shown, whatever the order."""
    one = explain([SEIZURE], [BOTH, TONIC], small_ontology)
    two = explain([SEIZURE], [TONIC, BOTH], small_ontology)
    assert one == two
    assert one[0].found == "HP:0002069"
