"""Finding cases by phenotype, disease, free text or another case, each hit explained (S400)."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from cluster.errors import InputError, NotFound
from cluster.flow.platform import Platform
from cluster.ontology import term_id, term_number
from cluster.retrieval.feature import vectors
from cluster.retrieval.ranking import explain, similarity

CANDIDATES_PER_HIT = 5
"""Candidates that the index gives for each hit asked for, before the finer order."""


class CaseQuery(BaseModel):
    """What to look for; without terms they come from the case that ``like`` names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    terms: tuple[str, ...] = Field((), max_length=200)
    disease_id: str | None = Field(None, max_length=128)
    text: str = Field("", max_length=4096)
    like: str | None = None
    """Id of a case on the platform; it is not among its own hits."""
    k: int = Field(10, ge=1, le=100)


class CaseHit(BaseModel):
    """A case that was found, and why."""

    model_config = ConfigDict(frozen=True)

    case_id: str
    origin: str
    disease_id: str
    disease_label: str
    category: str
    score: float
    """simGIC with the terms asked for, 0 to 1; 0 where no term was asked for."""
    why: tuple[str, ...]


def search(platform: Platform, query: CaseQuery) -> list[CaseHit]:
    """Search one platform.

    Raises:
        InputError: nothing to look for, or none of the terms is known.
        NotFound: ``like`` names no case.
    """
    rows = _asked_rows(platform, query)
    wanted = query.k + (query.like is not None)
    if query.text.strip() and (rows or query.like):
        what = "a text and terms were given"
        raise InputError(what, "query", "Give one of them.")
    if rows:
        vector = vectors([rows], platform.ontology)
        limit = CANDIDATES_PER_HIT * wanted
        (found,) = platform.index.nearest(vector, limit, disease_id=query.disease_id)
    elif query.text.strip():
        found = platform.index.matching(query.text, wanted, disease_id=query.disease_id)
    elif query.disease_id:
        flat = vectors([[]], platform.ontology)
        (found,) = platform.index.nearest(flat, wanted, disease_id=query.disease_id)
    else:
        what = "nothing to look for"
        raise InputError(what, "query", "Give terms, a disease, a text or a case.")
    hits = [
        _hit(platform, row, rows, query)
        for row in found.to_pylist()
        if row["case_id"] != query.like
    ]
    if rows:
        hits.sort(key=lambda hit: (-hit.score, hit.case_id))
    return hits[: query.k]


def case_terms(platform: Platform, case_id: str) -> tuple[str, ...] | None:
    """Return the observed terms of a case; None where the platform does not have it."""
    found = platform.index.rows([case_id])
    if not found.num_rows:
        return None
    (numbers,) = found["terms"].to_pylist()
    return tuple(term_id(number) for number in numbers or ())


def _asked_rows(platform: Platform, query: CaseQuery) -> tuple[int, ...]:
    terms: Sequence[str] = query.terms
    if query.like is not None and not terms:
        known = case_terms(platform, query.like)
        if known is None:
            what = f"there is no case {query.like}"
            raise NotFound(what, platform.platform_id)
        terms = known
    resolved = platform.ontology.resolve(terms)
    if terms and not resolved.rows:
        unknown = [term for term in resolved.unknown if term_number(term) < 0]
        what = "none of the terms is in the installed ontology"
        raise InputError(what, ", ".join(unknown[:5]), "Use HPO ids such as HP:0001250.")
    return resolved.rows


def _hit(
    platform: Platform, row: dict[str, object], asked: tuple[int, ...], query: CaseQuery
) -> CaseHit:
    numbers = row["terms"]
    assert isinstance(numbers, list)  # noqa: S101 - the index's schema
    theirs = platform.ontology.resolve(term_id(number) for number in numbers).rows
    names = platform.ontology.names
    row_of = platform.ontology.row_of
    why = [
        f"{names[row_of(match.asked)]} ~ {names[row_of(match.found)]} through "
        f"{names[row_of(match.through)]} ({match.information:.1f} nats)"
        for match in explain(asked, theirs, platform.ontology)
    ]
    if query.disease_id:
        why.append(f"diagnosis {query.disease_id}")
    if not asked and query.text:
        why.append("words of the text")
    return CaseHit(
        case_id=str(row["case_id"]),
        origin=str(row["origin"]),
        disease_id=str(row["disease_id"]),
        disease_label=str(row["disease_label"]),
        category=str(row["category"]),
        score=round(similarity(asked, theirs, platform.ontology), 6) if asked else 0.0,
        why=tuple(why),
    )
