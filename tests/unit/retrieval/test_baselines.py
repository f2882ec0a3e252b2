"""The simple methods that the product is measured beside."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from builders import BOTH, HEART, HEART_SHAPE, SEIZURE, TONIC, a_feature, feature_table

from cluster.ontology import Ontology
from cluster.retrieval import baselines
from cluster.retrieval.baselines import CaseScores, DiseaseScores, counting, fused
from cluster.retrieval.evidence import CaseBase
from cluster.retrieval.profiles import profiles_of

NUMBERS = {HEART: 1626, HEART_SHAPE: 1627, SEIZURE: 1250, TONIC: 2069, BOTH: 3000}
CASES: tuple[tuple[str, Sequence[int]], ...] = (
    ("OMIM:1", [TONIC]),
    ("OMIM:1", [SEIZURE, HEART]),
    ("OMIM:2", [BOTH]),
    ("OMIM:2", []),
    ("OMIM:3", [HEART_SHAPE]),
    ("", [HEART]),
)


def a_table(cases: Sequence[tuple[str, Sequence[int]]] = CASES) -> pa.Table:
    rows = [
        a_feature(f"case-{i}", disease_id=disease, terms=[NUMBERS[term] for term in terms])
        for i, (disease, terms) in enumerate(cases)
    ]
    return feature_table(*rows)


def a_base(ontology: Ontology, cases: Sequence[tuple[str, Sequence[int]]] = CASES) -> CaseBase:
    return CaseBase(profiles_of(a_table(cases), ontology), len(ontology.numbers))


def test_jaccard_counts_terms_as_written(small_ontology: Ontology) -> None:
    """A12: a term and its parent share nothing; a case without a term is 0."""
    found = CaseScores(a_base(small_ontology), small_ontology).jaccard((SEIZURE, TONIC))
    assert found == pytest.approx([1 / 2, 1 / 3, 0, 0, 0, 0])


def test_simgic_and_cosine_by_hand(small_ontology: Ontology) -> None:
    """A12: tonic (1, 2, 3) and both (1, 2, 1, 2, 4) share 1 and 2 of the nervous system."""
    scores = CaseScores(a_base(small_ontology), small_ontology)
    simgic, cosine = scores.simgic((TONIC,)), scores.ic_cosine((TONIC,))
    assert simgic[:4] == pytest.approx([1, 3 / 7, 3 / 13, 0])
    shared = (1 + 4) / np.sqrt((1 + 4 + 9) * (1 + 4 + 1 + 4 + 16))
    assert cosine[[0, 2, 3, 4]] == pytest.approx([1, shared, 0, 0])


def test_resnik_by_hand(small_ontology: Ontology) -> None:
    """A12: both ways from each term to its best match, averaged."""
    found = CaseScores(a_base(small_ontology), small_ontology).resnik((TONIC, HEART))
    assert found[1] == pytest.approx(((2 + 1) / 2 + (2 + 1) / 2) / 2)
    assert found[2] == pytest.approx(((2 + 1) / 2 + 2) / 2)
    assert found[3] == 0


def test_naive_bayes_by_hand(small_ontology: Ontology) -> None:
    """A12: the share in a disease is drawn towards that in all cases, without those left out."""
    found = DiseaseScores(a_base(small_ontology)).naive_bayes((TONIC,), np.array([1]))
    share = 1.5 / 5  # one of four cases with a disease that are left
    pseudo = baselines.PSEUDO_CASES
    expected = [(1 + pseudo * share) / (1 + pseudo), pseudo * share / (2 + pseudo)]
    assert np.exp(found[:2]) == pytest.approx(expected)


def test_a_disease_without_a_case_that_counts_is_in_no_list(small_ontology: Ontology) -> None:
    """A12: nothing stands for it, whatever the method."""
    base = a_base(small_ontology)
    diseases, out = DiseaseScores(base), np.array([4])
    cases = counting(CaseScores(base, small_ontology).jaccard((HEART_SHAPE,)), out)
    scores = {name: diseases.best(cases) for name in baselines.FUSED}
    scores[baselines.SIMGIC_VOTE] = diseases.vote(cases)
    scores[baselines.NAIVE_BAYES] = diseases.naive_bayes((HEART_SHAPE,), out)
    scores[baselines.FUSION] = fused(scores)
    for name, found in scores.items():
        assert (found > -np.inf).tolist() == [True, True, False], name


def test_only_the_nearest_twenty_vote(small_ontology: Ontology) -> None:
    """A12: a crowd of cases further away has no voice."""
    cases = [("OMIM:1", [TONIC])] * 20 + [("OMIM:2", [TONIC, HEART])] * 200
    base = a_base(small_ontology, cases)
    near = CaseScores(base, small_ontology).jaccard((TONIC,))
    assert DiseaseScores(base).vote(near).tolist() == [20, 0]


def test_the_fusion_adds_reciprocal_ranks(small_ontology: Ontology) -> None:
    """A12: by hand; equal scores share the last of their ranks."""
    scores = {name: np.array([3.0, 1.0, 1.0]) for name in baselines.FUSED}
    scores[baselines.NAIVE_BAYES] = np.array([1.0, 2.0, -np.inf])
    assert fused(scores) == pytest.approx([2 / 12 + 3 / 11, 2 / 11 + 3 / 13, -np.inf])


def every_score(
    base: CaseBase, ontology: Ontology, out: Sequence[int], observed: tuple[int, ...]
) -> dict[str, dict[str, float]]:
    """Return for each method the scores of diseases by name."""
    left_out, diseases = np.array(out), DiseaseScores(base)
    cases = {
        name: counting(score(observed), left_out)
        for name, score in CaseScores(base, ontology).methods.items()
    }
    found = {name: diseases.best(one) for name, one in cases.items()}
    found[baselines.SIMGIC_VOTE] = diseases.vote(cases[baselines.SIMGIC])
    found[baselines.NAIVE_BAYES] = diseases.naive_bayes(observed, left_out)
    found[baselines.FUSION] = fused(found)
    return {
        name: {
            disease: float(score)
            for disease, score in zip(base.profiles.diseases, one, strict=True)
            if score > -np.inf
        }
        for name, one in found.items()
    }


@pytest.mark.parametrize("disease", ["OMIM:1", "OMIM:3", "OMIM:9", ""])
@pytest.mark.parametrize("terms", [[], [TONIC], [BOTH, HEART]])
def test_cases_left_out_change_no_score(
    disease: str, terms: list[int], small_ontology: Ontology
) -> None:
    """A12: neither terms nor diagnosis of a case that is left out reach any score of any method."""
    out = [1, 2]
    changed = [(disease, terms) if i in out else case for i, case in enumerate(CASES)]
    before = every_score(a_base(small_ontology), small_ontology, out, (TONIC, HEART))
    after = every_score(a_base(small_ontology, changed), small_ontology, out, (TONIC, HEART))
    assert before.keys() == after.keys() and all(before.values())
    for name, scores in before.items():
        assert scores == pytest.approx(after[name]), name
