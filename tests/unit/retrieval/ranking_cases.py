"""Cases as rows, counted and compared in plain loops: what the arrays must come to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from builders import TERM_ROWS, a_feature, a_small_ontology, feature_table
from hypothesis import strategies as st

from cluster.ontology import Ontology
from cluster.retrieval.evidence import CaseBase, Counts
from cluster.retrieval.feature import vectors
from cluster.retrieval.profiles import COLUMNS, Presentation, profiles_of

ONTOLOGY = a_small_ontology()
NUMBERS = [number for number, *_ in TERM_ROWS[:8]]
Json = dict[str, Any]


def row_of(number: int) -> int:
    """Return the row of a term number of the small ontology."""
    return [row[0] for row in TERM_ROWS].index(number)


def a_row(case_id: str, disease: str, seen: Sequence[int], **changes: Any) -> Json:
    """Return a row of the index with the vector that its terms have."""
    (vector,) = vectors([[row_of(number) for number in seen]], ONTOLOGY)
    fields = {"disease_id": disease, "disease_label": f"Disease {disease}", "terms": list(seen)}
    return a_feature(case_id, **({"vector": vector.tolist()} | fields | changes))


def columns(rows: Sequence[Json]) -> pa.Table:
    """Return rows in the order of case ids, as an index does."""
    return feature_table(*sorted(rows, key=lambda row: str(row["case_id"]))).select(list(COLUMNS))


def a_base(rows: Sequence[Json], ontology: Ontology = ONTOLOGY) -> CaseBase:
    """Count rows."""
    return CaseBase(profiles_of(columns(rows), ontology), len(ontology.numbers))


def recounted(rows: Sequence[Json], patient: Presentation) -> dict[str, tuple[int, ...]]:
    """Count by loops: of each disease its cases, then for each term the observed and excluded."""
    found: dict[str, list[int]] = {}
    width = len(patient.examined)
    for row in rows:
        if not row["disease_id"]:
            continue
        sums = found.setdefault(row["disease_id"], [0] * (1 + 2 * width))
        sums[0] += 1
        for place, term in enumerate(patient.examined):
            number = TERM_ROWS[term][0]
            sums[1 + place] += number in row["terms"]
            sums[1 + width + place] += number in row["excluded"]
    return {disease: tuple(sums) for disease, sums in found.items()}


def as_loops(counts: Counts) -> dict[str, tuple[int, ...]]:
    """Return counts in the shape of ``recounted``."""
    sums = np.concatenate([counts.n_cases[None], counts.observed, counts.excluded]).T
    return {name: tuple(map(int, row)) for name, row in zip(counts.diseases, sums, strict=True)}


@st.composite
def case_rows(draw: st.DrawFn) -> list[Json]:
    """Draw a few cases; some without a disease, a publication or a term."""
    rows = []
    for number in range(draw(st.integers(0, 12))):
        terms = draw(st.lists(st.sampled_from(NUMBERS), max_size=5, unique=True))
        cut = draw(st.integers(0, len(terms)))
        rows.append(
            a_row(
                f"c{number:02d}",
                draw(st.sampled_from(["", "OMIM:1", "OMIM:2", "OMIM:3"])),
                terms[:cut],
                excluded=terms[cut:],
                publication_id=draw(st.sampled_from(["", "PMID:1", "PMID:2", "PMID:3"])),
                state=draw(st.sampled_from(["own", "own", "received"])),
            )
        )
    return rows


@st.composite
def patients(draw: st.DrawFn) -> Presentation:
    """Draw a patient with at least one observed term."""
    terms = draw(st.lists(st.integers(0, 7), min_size=1, max_size=5, unique=True))
    cut = draw(st.integers(1, len(terms)))
    return Presentation(tuple(terms[:cut]), tuple(terms[cut:]))
