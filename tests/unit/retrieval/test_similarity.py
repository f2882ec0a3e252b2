"""How alike a patient and cases are, against what the definitions say in loops."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from builders import BOTH, HEART, HEART_SHAPE, NERVES, SEIZURE, TONIC

from cluster.ontology import Ontology
from cluster.retrieval import similarity
from cluster.retrieval.profiles import Lists, Presentation
from cluster.retrieval.similarity import TermSimilarity, likeness
from cluster.storage.ontology import load_ontology


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Ontology:
    """The release that comes with the product."""
    return load_ontology(Path(tmp_path_factory.mktemp("ontology")))


def lists(*rows_by_case: Sequence[int]) -> Lists:
    offsets = np.cumsum([0, *map(len, rows_by_case)])
    return Lists(offsets, np.concatenate([np.empty(0), *rows_by_case]).astype(np.int32))


def above(row: int, ontology: Ontology) -> set[int]:
    """Walk up the parents."""
    parents = ontology.table["parents"][row].as_py()
    return {row}.union(*(above(parent, ontology) for parent in parents))


def resnik(one: int, two: int, ontology: Ontology) -> float:
    common = above(one, ontology) & above(two, ontology)
    return max((float(ontology.information[row]) for row in common), default=0.0)


def best_match_average(ours: Sequence[int], theirs: Sequence[int], ontology: Ontology) -> float:
    if not theirs:
        return 0.0
    forth = [max(resnik(one, two, ontology) for two in theirs) for one in ours]
    back = [max(resnik(one, two, ontology) for one in ours) for two in theirs]
    return (sum(forth) / len(forth) + sum(back) / len(back)) / 2


def test_a_pair_of_terms_by_brute_force(small_ontology: Ontology) -> None:
    """A4: the information of the most informative common ancestor, for every pair of terms."""
    terms = TermSimilarity(small_ontology)
    n_terms = len(small_ontology.numbers)
    for one in range(n_terms):
        expected = [resnik(one, two, small_ontology) for two in range(n_terms)]
        assert terms.to_all(one).tolist() == expected


def test_pairs_of_released_terms_by_brute_force(released: Ontology) -> None:
    """A4: the same over the whole ontology, where terms have several parents."""
    rng = np.random.default_rng(1)
    terms, alive = TermSimilarity(released), np.flatnonzero(released.information > 0)
    for one in rng.choice(alive, 8):
        others = [int(one), *map(int, rng.choice(alive, 40))]
        expected = [resnik(int(one), two, released) for two in others]
        assert terms.to_all(int(one))[others].tolist() == expected


def test_what_is_remembered_is_what_was_computed(
    small_ontology: Ontology, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4: a memory that overflows forgets the term that was longest unused, and nothing else."""
    monkeypatch.setattr(similarity, "KEPT_TERMS", 2)
    terms = TermSimilarity(small_ontology)
    first = terms.to_all(SEIZURE)
    terms.to_all(TONIC)
    assert terms.to_all(SEIZURE) is first
    terms.to_all(HEART)  # TONIC was asked for before SEIZURE was again
    assert terms.to_all(SEIZURE) is first
    assert terms.to_all(TONIC)[SEIZURE] == 2.0


def test_best_match_average_by_hand(small_ontology: Ontology) -> None:
    """A4: seizure and heart meet tonic-clonic: (2 + 0) / 2 forth, 2 back, 1.5 on average."""
    alike = likeness(
        Presentation((SEIZURE, HEART)), lists([TONIC]), lists([]), TermSimilarity(small_ontology)
    )
    assert alike.matched.tolist() == [1.5]


def test_best_match_average_by_loops(released: Ontology) -> None:
    """A4: both directions, averaged, for random cases; one without a term is like nobody."""
    rng = np.random.default_rng(2)
    alive = np.flatnonzero(released.information > 0)
    cases = [list(map(int, rng.choice(alive, n))) for n in (1, 0, 3, 7, 0, 2)]
    patient = Presentation(tuple(map(int, rng.choice(alive, 4))))
    terms = TermSimilarity(released)
    found = likeness(patient, lists(*cases), lists(*([] for _ in cases)), terms)
    expected = [best_match_average(patient.observed, case, released) for case in cases]
    assert found.matched == pytest.approx(expected, abs=1e-5)
    assert found.matched[[1, 4]].tolist() == [0, 0]


def test_shared_terms_over_all_terms(small_ontology: Ontology) -> None:
    """A4: observed terms meet observed ones and excluded ones excluded ones, never across."""
    patient = Presentation((SEIZURE, HEART), (TONIC, NERVES))
    observed = lists([SEIZURE], [TONIC, NERVES], [], [HEART, SEIZURE], [SEIZURE, HEART_SHAPE, BOTH])
    excluded = lists([TONIC], [SEIZURE, HEART], [], [TONIC, NERVES], [NERVES, BOTH, HEART_SHAPE])
    alike = likeness(patient, observed, excluded, TermSimilarity(small_ontology))
    assert alike.same_terms == pytest.approx([1 / 2, 0, 0, 1, 1 / 4])
    assert alike.same_absent == pytest.approx([1 / 2, 0, 0, 1, 1 / 4])


def test_nothing_absent_is_no_agreement(small_ontology: Ontology) -> None:
    """A4: where neither side excluded anything, that is no overlap, and nothing is divided by 0."""
    terms = TermSimilarity(small_ontology)
    alike = likeness(Presentation((SEIZURE,)), lists([], [SEIZURE]), lists([], []), terms)
    assert alike.same_absent.tolist() == [0, 0]
    assert (alike.same_terms.tolist(), alike.matched.tolist()) == ([0, 1], [0, 2])


def test_no_cases(small_ontology: Ontology) -> None:
    """A4: nobody is compared with nobody."""
    patient = Presentation((SEIZURE,), (HEART,))
    alike = likeness(patient, lists(), lists(), TermSimilarity(small_ontology))
    assert [len(part) for part in (alike.matched, alike.same_terms, alike.same_absent)] == [0] * 3
