"""SIMULATED cases for measuring: different from each other, true to the columns."""

from itertools import pairwise

import numpy as np
import pytest
from builders import BOTH, HEART_SHAPE, SEIZURE, TONIC, a_feature, feature_table

from cluster.ontology import Ontology
from cluster.retrieval.feature import FEATURES
from cluster.retrieval.simulation import changed_terms, simulated_features

REAL = feature_table(
    a_feature("a", terms=[1250, 1627], disease_id="OMIM:1"),
    a_feature("b", terms=[2069], disease_id="OMIM:2"),
    a_feature("bare", terms=[], disease_id="OMIM:3"),
)


def test_as_many_as_asked_for_each_with_its_own_id(small_ontology: Ontology) -> None:
    """A4: rows of the index's columns; ids differ; diagnosis is that of the case drawn from."""
    found = simulated_features(REAL, 500, small_ontology, np.random.default_rng(1))
    assert found.schema == FEATURES
    rows = found.to_pylist()
    assert len({row["case_id"] for row in rows}) == 500
    diseases = {"a": "OMIM:1", "b": "OMIM:2", "bare": "OMIM:3"}
    assert all(row["disease_id"] == diseases[row["case_id"].split("-")[0]] for row in rows)
    assert all(row["terms"] for row in rows)
    lengths = [np.linalg.norm(row["vector"]) for row in rows]
    assert set(np.round(lengths, 4)) <= {0.0, 1.0}


def test_a_seed_gives_the_same_cases(small_ontology: Ontology) -> None:
    """A4: what was measured can be measured again."""
    one, same, other = (
        simulated_features(REAL, 20, small_ontology, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert one.equals(same)
    assert not one.equals(other)


def test_terms_change_as_stated(small_ontology: Ontology) -> None:
    """A4: terms are left out, become a parent or a sibling, and others are added; each once."""
    terms = np.array([0, 1, 2]), np.array([TONIC, HEART_SHAPE])
    chosen = np.zeros(4000, np.int64)
    offsets, rows = changed_terms(terms, chosen, small_ontology, np.random.default_rng(3))
    cases = [rows[start:end].tolist() for start, end in pairwise(offsets)]
    assert all(len(set(case)) == len(case) > 0 for case in cases)
    bare = 0.25 * np.exp(-1)
    shares = {
        SEIZURE: 0.15,  # the parent
        BOTH: 0.15 / 2,  # one of two children of the parent
        HEART_SHAPE: 1 - np.exp(-0.5) + bare / 2,  # half of what is added
    }
    for row, share in shares.items():
        assert np.mean([row in case for case in cases]) == pytest.approx(share, abs=0.03)
    assert {*rows.tolist()} == {*shares, TONIC}
