"""SIMULATED cases in any number, for measuring: real ones with their terms changed.

Each is drawn from a real case, of which it keeps the diagnosis. Of its terms some are left out,
some become a parent or a sibling, and terms of other cases are added, as examinations differ.
Every case gets a vector of its own, so that an index has as hard a time as with real ones.
"""

from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cluster.ontology import Ontology
from cluster.retrieval.feature import FEATURES, vectors

Rows = npt.NDArray[np.int64]
Lists = tuple[Rows, Rows]
"""Offsets [N + 1] and values of N lists."""

LEFT_OUT: Final = 0.25
TO_PARENT: Final = 0.15
TO_SIBLING: Final = 0.15
ADDED_MEAN: Final = 1.0


def simulated_features(
    real: pa.Table, n: int, ontology: Ontology, rng: np.random.Generator
) -> pa.Table:
    """Draw n cases as rows of ``FEATURES``; their ids are those of the real ones, with a number.

    Args:
        real: columns of ``FEATURES`` of real cases; their vectors are not used.
        n: cases to draw.
        ontology: parents, siblings and information content.
        rng: draws everything, so that a seed gives the same cases.
    """
    offsets, numbers = _lists(real["terms"])
    terms: Lists = offsets, np.searchsorted(ontology.numbers, numbers)
    chosen = rng.integers(0, real.num_rows, n)
    starts, rows = changed_terms(terms, chosen, ontology, rng)
    drawn = real.select([name for name in FEATURES.names if name != "vector"]).take(chosen)
    marks = _marks(rng, n)
    ids = [f"{name}-{mark}" for name, mark in zip(drawn["case_id"].to_pylist(), marks, strict=True)]
    by_case = [rows[start:end].tolist() for start, end in pairwise(starts)]
    made = {
        "case_id": pa.array(ids),
        "terms": pa.ListArray.from_arrays(
            pa.array(starts, pa.int32()), pa.array(ontology.numbers[rows], pa.int32())
        ),
        "vector": pa.FixedSizeListArray.from_arrays(
            pa.array(vectors(by_case, ontology).ravel()), type=FEATURES.field("vector").type
        ),
    }
    columns = [made[name] if name in made else drawn[name] for name in FEATURES.names]
    return pa.Table.from_arrays(columns, schema=FEATURES)


def changed_terms(
    terms: Lists, chosen: Rows, ontology: Ontology, rng: np.random.Generator
) -> Lists:
    """Return the ontology rows of drawn cases, each row once a case; no case is without one.

    Args:
        terms: ontology rows of the real cases.
        chosen: which real case each drawn one comes from [N].
        ontology: parents of the terms.
        rng: draws the changes.
    """
    offsets, pool = terms
    lengths = offsets[chosen + 1] - offsets[chosen]
    owners = np.repeat(np.arange(len(chosen)), lengths)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kept = pool[offsets[chosen][owners] + within]
    above = _lists(ontology.table["parents"])
    parents = _one_of(above, kept, rng)
    siblings = _one_of(_turned(above), parents, rng)
    bounds = np.cumsum([LEFT_OUT, TO_PARENT, TO_SIBLING])
    fates = np.searchsorted(bounds, rng.random(len(kept)), side="right")
    changed = np.select([fates == 1, fates == 2], [parents, siblings], kept)
    owners, changed = owners[fates > 0], changed[fates > 0]
    more = np.repeat(np.arange(len(chosen)), rng.poisson(ADDED_MEAN, len(chosen)))
    bare = np.setdiff1d(np.arange(len(chosen)), np.concatenate([owners, more]))
    more = np.concatenate([more, bare])
    width = len(ontology.numbers)
    keys = np.concatenate([owners * width + changed, more * width + rng.choice(pool, len(more))])
    keys = np.unique(keys)
    return np.searchsorted(keys // width, np.arange(len(chosen) + 1)), keys % width


def _one_of(lists: Lists, owners: Rows, rng: np.random.Generator) -> Rows:
    """Draw one value of each owner's list; an owner with an empty one stands for itself."""
    offsets, values = lists
    lengths = offsets[owners + 1] - offsets[owners]
    places = offsets[owners] + (rng.random(len(owners)) * lengths).astype(np.int64)
    return np.where(lengths > 0, values[np.minimum(places, len(values) - 1)], owners)


def _turned(lists: Lists) -> Lists:
    """Return the lists of who has each value: of the parents the children."""
    offsets, values = lists
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.argsort(values, kind="stable")
    return np.searchsorted(values[order], np.arange(len(offsets))), owners[order]


def _lists(column: Any) -> Lists:  # noqa: ANN401 - an Arrow column of lists
    lists = column.combine_chunks()
    return np.asarray(lists.offsets, np.int64), np.asarray(lists.flatten(), np.int64)


def _marks(rng: np.random.Generator, n: int) -> list[str]:
    """Return numbers that tell apart what is drawn from one case."""
    return [f"{mark:016x}" for mark in rng.integers(0, 2**63, n)]
