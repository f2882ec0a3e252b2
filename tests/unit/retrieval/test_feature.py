"""The retrieval feature: deterministic signs, unit vectors, cosines that survive the projection."""

import hashlib

import numpy as np
import numpy.typing as npt
import pytest
from builders import ABNORMALITY, ALL, BOTH, HEART_SHAPE, SEIZURE, TONIC

from cluster.ontology import Ontology
from cluster.retrieval.feature import ANSWERS, DIMENSIONS, FEATURES, signs, vectors
from cluster.retrieval.index import FILTERABLE

MASK = (1 << 64) - 1
GOLDEN = "0f77653299445fb4421399f732d348a4e88e9e744b029274577cd66557e00d94"


def splitmix64(state: int) -> int:
    """Return one output of Steele, Lea & Flood's generator, in whole numbers of Python."""
    mixed = (state * 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)


@pytest.mark.parametrize("number", [0, 1, 118, 1250, 9_999_999])
def test_signs_are_those_of_splitmix64(number: int) -> None:
    """A4: every process projects alike: signs are the bits of a published hash."""
    expected = []
    for word in range(1, DIMENSIONS // 64 + 1):
        raw = splitmix64(number * (DIMENSIONS // 64) + word).to_bytes(8, "little")
        expected += [1 if byte >> bit & 1 else -1 for byte in raw for bit in range(7, -1, -1)]
    assert signs(np.array([number], np.int32))[0].tolist() == expected


def test_signs_do_not_drift() -> None:
    """A4: stored vectors stay valid: the signs of the first thousand terms have one digest."""
    found = signs(np.arange(1000, dtype=np.int32))
    assert found.dtype == np.int8
    assert hashlib.sha256(found.tobytes()).hexdigest() == GOLDEN


def test_signs_are_balanced_and_independent() -> None:
    """A4: over a thousand terms each dimension is near 0 and two terms are near orthogonal."""
    found = signs(np.arange(1000, dtype=np.int32)).astype(np.float64)
    assert np.abs(found.mean(axis=0)).max() < 5 / np.sqrt(1000)
    products = found @ found.T / DIMENSIONS
    np.fill_diagonal(products, 0)
    assert np.abs(products).max() < 6 / np.sqrt(DIMENSIONS)


def test_vectors_have_unit_length_or_are_zero(small_ontology: Ontology) -> None:
    """A4: a case with a known term is a unit vector, one without is zero and never NaN."""
    found = vectors([[SEIZURE], [], [TONIC, HEART_SHAPE], [ALL, ABNORMALITY]], small_ontology)
    assert found.shape == (4, DIMENSIONS)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0, 1, 0], abs=1e-5)


@pytest.mark.parametrize("rows", [[], [[]], [[], []]])
def test_no_case_and_no_term_are_allowed(rows: list[list[int]], small_ontology: Ontology) -> None:
    """A4: nothing to project gives an array of the right shape."""
    found = vectors(rows, small_ontology)
    assert found.shape == (len(rows), DIMENSIONS)
    assert not found.any()


def test_a_vector_depends_on_the_case_alone(small_ontology: Ontology) -> None:
    """A4: a case has the same vector alone, in a batch, in any order and with repeated terms."""
    (alone,) = vectors([[SEIZURE, HEART_SHAPE]], small_ontology)
    batch = vectors([[TONIC], [HEART_SHAPE, SEIZURE, SEIZURE], [BOTH]], small_ontology)
    assert np.allclose(alone, batch[1], atol=1e-6)


def weighted(rows: list[int], ontology: Ontology) -> npt.NDArray[np.float64]:
    """Return the full vector of a case: the information of each term it has or implies."""
    full = np.zeros(len(ontology.numbers))
    closure = ontology.closure(rows)
    full[closure] = ontology.information[closure]
    return full


def test_the_projection_keeps_cosines(small_ontology: Ontology) -> None:
    """A4: the cosine of projected cases is that of the full ones, within 4 / sqrt(1024)."""
    cases = [[SEIZURE], [TONIC], [HEART_SHAPE], [BOTH], [TONIC, HEART_SHAPE]]
    projected = vectors(cases, small_ontology).astype(np.float64)
    full = np.array([weighted(rows, small_ontology) for rows in cases])
    full /= np.linalg.norm(full, axis=1, keepdims=True)
    assert np.abs(projected @ projected.T - full @ full.T).max() < 4 / np.sqrt(DIMENSIONS)


def test_the_columns_carry_a_vector_of_fixed_length() -> None:
    """A4: the schema fixes the length, so that a short vector cannot be stored."""
    assert FEATURES.field("vector").type.list_size == DIMENSIONS


def test_the_columns_say_what_a_filter_asks() -> None:
    """A4: what a filter names is a column; an age may be missing, nothing else may."""
    assert {*FILTERABLE, "case_id", "excluded"} <= set(FEATURES.names)
    assert [field.name for field in FEATURES if field.nullable] == ["age_years"]
    assert [*ANSWERS.names[:-1], "vector"] == FEATURES.names
