"""The retrieval feature: what a case is found by (S400).

The observed terms with all their ancestors, weighted by information content, go through a fixed
random projection of signs to a unit vector. The signs of a term come from a hash of its number, so
every process and every ontology release projects alike and a new case needs no fitting
(Johnson & Lindenstrauss 1984; Achlioptas 2003).
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from cluster.ontology import Floats, Ontology

DIMENSIONS: Final = 1024
"""Enough to lose less than a point of accuracy against the full ancestor vector."""

_FIELDS: Final[list["pa.Field[Any]"]] = [
    pa.field("case_id", pa.string(), nullable=False),
    pa.field("digest", pa.string(), nullable=False),  # of the document it was built from
    pa.field("origin", pa.string(), nullable=False),  # platform that the case comes from
    pa.field("state", pa.string(), nullable=False),  # "own" or "received"
    pa.field("disease_id", pa.string(), nullable=False),
    pa.field("disease_label", pa.string(), nullable=False),
    pa.field("category", pa.string(), nullable=False),
    pa.field("genes", pa.list_(pa.string()), nullable=False),
    pa.field("publication_id", pa.string(), nullable=False),
    pa.field("publication_title", pa.string(), nullable=False),
    pa.field("sex", pa.string(), nullable=False),
    pa.field("age_years", pa.float32()),  # at the last encounter
    pa.field("rare_feature", pa.float32(), nullable=False),
    pa.field("text", pa.string(), nullable=False),
    pa.field("terms", pa.list_(pa.int32()), nullable=False),  # numbers of the observed terms
    pa.field("excluded", pa.list_(pa.int32()), nullable=False),  # and of those found absent
    pa.field("vector", pa.list_(pa.float32(), DIMENSIONS), nullable=False),
]
FEATURES: Final = pa.schema(_FIELDS)
ANSWERS: Final = pa.schema([*_FIELDS[:-1], pa.field("score", pa.float32(), nullable=False)])
"""Columns of what a search finds: the features without the vector, and how well it matches."""


def signs(numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.int8]:
    """Return +1 or -1 for each term number and dimension [T, 1024], from a hash (splitmix64)."""
    words = DIMENSIONS // 64
    state = numbers.astype(np.uint64)[:, None] * np.uint64(words) + np.arange(
        1, words + 1, dtype=np.uint64
    )
    with np.errstate(over="ignore"):
        mixed = np.multiply(state, np.uint64(0x9E3779B97F4A7C15), dtype=np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    bits = np.unpackbits(mixed.astype("<u8").view(np.uint8), axis=1)
    return bits.astype(np.int8) * np.int8(2) - np.int8(1)


def vectors(rows_by_case: Sequence[Sequence[int]], ontology: Ontology) -> Floats:
    """Project cases to unit vectors [C, 1024]; a case without a known term is all zero.

    Args:
        rows_by_case: the ontology rows of each case's observed terms.
        ontology: ancestors and information content.
    """
    closures = [ontology.closure(rows) for rows in rows_by_case]
    indptr = np.concatenate([[0], np.cumsum([len(closure) for closure in closures])])
    columns = np.concatenate([*closures, np.empty(0, np.int32)]).astype(np.int32)
    used, places = np.unique(columns, return_inverse=True)
    weights = ontology.information[columns]
    by_case = sparse.csr_array((weights, places, indptr), shape=(len(closures), len(used)))
    projected = by_case @ signs(ontology.numbers[used]).astype(np.float32)
    lengths = np.linalg.norm(projected, axis=1, keepdims=True)
    unit: Floats = np.divide(projected, lengths, out=np.zeros_like(projected), where=lengths > 0)
    return unit
