"""Finding cases by phenotype, disease, gene, words or another case, each hit explained (S400).

Each platform finds its part; the diseases and the cases are put in order from the counts of all of
them; then the cases that are shown are explained where they lie.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from cluster.errors import InputError, NotFound
from cluster.ontology import Ontology
from cluster.retrieval.diagnosis import Evidence, RankingModel, rank
from cluster.retrieval.evidence import NO_ROWS
from cluster.retrieval.index import CaseFilter, CaseIndex
from cluster.retrieval.profiles import Presentation, profiles_of
from cluster.retrieval.query import CaseHit, CaseQuery, DiseaseHit, SearchAnswer, check
from cluster.retrieval.ranking import explain, opposing, similarity
from cluster.retrieval.search import CANDIDATES, CaseSearch

SCORE_DIGITS = 6
"""Scores that are equal to so many decimals are a tie; the case ids decide."""
NAMED_MIN = 100
"""Diseases, likeliest by a platform's own cases, whose names it sends with its part."""


class Searchable(Protocol):
    """A platform's cases, open for searching: by its own process or by one that reads beside it."""

    @property
    def platform_id(self) -> str:
        """Name of the platform."""
        ...

    @property
    def index(self) -> CaseIndex:
        """Where its retrieval features lie."""
        ...

    @property
    def ontology(self) -> Ontology:
        """What places the terms."""
        ...

    @property
    def searcher(self) -> CaseSearch:
        """Searches the index."""
        ...

    @property
    def ranking(self) -> RankingModel:
        """Weights by which what is found is put in order."""
        ...


@dataclass(frozen=True)
class Found:
    """What one platform found."""

    platform: str
    hits: tuple[CaseHit, ...] = ()
    """Only where no term was asked for."""
    remarks: tuple[str, ...] = ()
    patient: Presentation | None = None
    evidence: Evidence | None = None
    """With ``patient`` where terms were asked for: of all cases, whatever is filtered."""
    near: tuple[str, ...] = ()
    """Candidates of the evidence."""
    shown: Evidence | None = None
    """Of the cases that pass the filter."""
    case_ids: tuple[str, ...] = ()
    """Candidates that pass the filter."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Names of diseases that may be shown."""


@dataclass(frozen=True)
class Order:
    """What of the candidates is shown, before it is explained."""

    scores: dict[str, dict[str, float]]
    """By platform, the cases that are shown."""
    diseases: tuple[DiseaseHit, ...] = ()
    none_of_these: float | None = None


def search(platform: Searchable, query: CaseQuery) -> SearchAnswer:
    """Search one platform.

    Raises:
        InputError: nothing to look for, too much of it, or none of the terms is known.
        NotFound: ``like`` names no case.
    """
    query = asked_like(platform, query) if query.like is not None else query
    found = [find(platform, query)]
    order = put_in_order(query, found, platform.ranking)
    patient, scores = found[0].patient, order.scores.values()
    shown = [explained(platform, query, patient, one) for one in scores]
    return put_together(query, found, order, shown)


def find(platform: Searchable, query: CaseQuery) -> Found:
    """Find a platform's part of an answer.

    Args:
        platform: whose cases are searched.
        query: with the terms of the case that it names, if it names one (``asked_like``).

    Raises:
        InputError: nothing to look for, too much of it, or none of the terms is known.
    """
    check(query)
    if not (query.terms or query.excluded or query.like):
        return Found(platform.platform_id, tuple(_by_words(platform, query)))
    patient = patient_of(platform, query.terms, query.excluded)
    searcher, everyone = platform.searcher, CaseFilter(state=query.where.state)
    left_out = searcher.places_of([query.like]) if query.like else NO_ROWS
    table, evidence = searcher.look_up(patient, where=everyone, left_out=left_out)
    passing, shown = table, evidence
    if query.where != everyone:
        passing, shown = searcher.look_up(patient, where=query.where, left_out=left_out)
    likely = rank(patient, [evidence], platform.ranking, max(2 * query.k, NAMED_MIN)).diseases
    return Found(
        platform=platform.platform_id,
        remarks=_remarks(platform, query),
        patient=patient,
        evidence=evidence,
        near=tuple(map(str, table["case_id"].to_pylist())),
        shown=shown,
        case_ids=tuple(map(str, passing["case_id"].to_pylist())),
        labels=searcher.labels_of(disease.disease_id for disease in likely),
    )


def put_in_order(query: CaseQuery, found: Sequence[Found], model: RankingModel) -> Order:
    """Rank diseases and cases over all platforms, and choose what is shown.

    Args:
        query: what was asked.
        found: one part a platform; the same case on two platforms is two hits.
        model: weights.
    """
    patient = next((part.patient for part in found if part.patient is not None), None)
    if patient is None:
        return Order({})
    evidence, _ = _nearest([(part.evidence, part.near) for part in found])
    shown, ids = _nearest([(part.shown, part.case_ids) for part in found])
    ranking = rank(patient, evidence, model, query.k, shown)
    scored = [
        (-round(float(score), SCORE_DIGITS), part.platform, case_id)
        for part, case_ids, scores in zip(found, ids, ranking.case_scores, strict=True)
        for case_id, score in zip(case_ids, scores, strict=True)
    ]
    chosen: dict[str, dict[str, float]] = {}
    for score, platform, case_id in heapq.nsmallest(query.k, scored):
        chosen.setdefault(platform, {})[case_id] = -score
    labels = {disease: label for part in found for disease, label in part.labels.items()}
    diseases = [
        DiseaseHit(
            disease_id=ranked.disease_id,
            disease_label=labels.get(ranked.disease_id, ""),
            probability=round(ranked.probability, 6),
            n_cases=ranked.n_cases,
            figures={name: round(value, 4) for name, value in ranked.figures.items()},
        )
        for ranked in ranking.diseases
    ]
    return Order(chosen, tuple(diseases), round(ranking.none_of_these, 6))


def _nearest(
    found: Sequence[tuple[Evidence | None, Sequence[str]]],
) -> tuple[list[Evidence], list[list[str]]]:
    """Keep as many candidates of all platforms as one platform would have: the nearest vectors."""
    parts = [(evidence, ids) for evidence, ids in found if evidence is not None]
    nearness = [
        (-round(float(evidence.cosines[place]), SCORE_DIGITS), case_id, number, place)
        for number, (evidence, ids) in enumerate(parts)
        for place, case_id in enumerate(ids)
    ]
    kept: list[list[int]] = [[] for _ in parts]
    for _, _, number, place in heapq.nsmallest(CANDIDATES, nearness):
        kept[number].append(place)
    chosen = list(zip(parts, kept, strict=True))
    return (
        [evidence.of(np.array(places, np.int64)) for (evidence, _), places in chosen],
        [[ids[place] for place in places] for (_, ids), places in chosen],
    )


def explained(
    platform: Searchable,
    query: CaseQuery,
    patient: Presentation | None,
    scores: Mapping[str, float],
) -> list[CaseHit]:
    """Return the cases of a platform that are shown, each with what speaks for and against it.

    Args:
        platform: where they lie.
        query: what was asked.
        patient: whom the terms describe.
        scores: of each case.
    """
    table = platform.index.rows(list(scores)).drop(["vector"])
    column = pa.array([scores[str(name)] for name in table["case_id"].to_pylist()], pa.float64())
    return _hits(platform, query, table.append_column("score", column), patient)


def put_together(
    query: CaseQuery, found: Sequence[Found], order: Order, shown: Sequence[Sequence[CaseHit]]
) -> SearchAnswer:
    """Make one answer of the parts that platforms found.

    Args:
        query: what was asked.
        found: one part a platform.
        order: of what was found.
        shown: explained hits, by platform.
    """
    hits = [hit for hits in (*(part.hits for part in found), *shown) for hit in hits]
    hits.sort(key=lambda hit: (-hit.score, hit.platform, hit.case_id))
    return SearchAnswer(
        hits=hits[: query.k],
        diseases=list(order.diseases),
        none_of_these=order.none_of_these,
        remarks=tuple(dict.fromkeys(remark for part in found for remark in part.remarks)),
    )


def asked_like(platform: Searchable, query: CaseQuery) -> CaseQuery:
    """Return a query with the terms of the case that it names.

    Raises:
        InputError: terms are given beside the case, or no sign of the case is known.
        NotFound: the platform does not have the case.
    """
    check(query)
    if query.terms or query.excluded:
        what = "a case and terms were given"
        raise InputError(what, "query", "Give one of them.")
    found = platform.index.rows([query.like or ""])
    if not found.num_rows:
        what = "there is no such case"
        raise NotFound(what, platform.platform_id)
    profiles = profiles_of(found, platform.ontology)
    if not len(profiles.observed.rows):
        what = "no sign of the case is known"
        raise InputError(what, platform.platform_id, "Name a case with observed terms, or terms.")
    named = platform.ontology.ids_of
    return query.model_copy(
        update={
            "terms": named(profiles.observed.rows),
            "excluded": named(profiles.excluded.rows),
        }
    )


def patient_of(platform: Searchable, seen: Sequence[str], absent: Sequence[str]) -> Presentation:
    """Return the patient that term ids describe; a term that is both seen and absent is neither.

    Raises:
        InputError: there is no usable term that was seen.
    """
    placed = platform.ontology.resolve(seen).rows, platform.ontology.resolve(absent).rows
    both = {*placed[0]} & {*placed[1]}
    observed, excluded = (tuple(row for row in rows if row not in both) for rows in placed)
    if observed:
        return Presentation(observed, excluded)
    remedy = "Give at least one HPO id, such as HP:0001250, of a sign that was seen."
    if placed[0]:
        what = "every term is both seen and absent"
    elif seen:
        what = f"none of {len(seen)} terms is in the installed ontology"
    else:
        what = "no observed term; only excluded ones" if absent else "no observed term"
    raise InputError(what, "terms", remedy)


def _remarks(platform: Searchable, query: CaseQuery) -> tuple[str, ...]:
    terms = platform.ontology.resolve((*query.terms, *query.excluded))
    replaced = [f"{old} is obsolete; {new} was asked for" for old, new in terms.replaced]
    placed = (platform.ontology.resolve(given).rows for given in (query.terms, query.excluded))
    counted = {
        "not in the ontology": len(terms.unknown),
        "both seen and absent, and asked for as neither": len(set.intersection(*map(set, placed))),
    }
    return (*replaced, *(f"terms that are {what}: {n}" for what, n in counted.items() if n))


def _by_words(platform: Searchable, query: CaseQuery) -> list[CaseHit]:
    """Return the cases whose text matches; without a text, what the filter lets pass."""
    if query.text.strip():
        table = platform.index.matching(query.text, query.k, query.where)
    else:
        table = platform.index.listed(query.k, query.where)
    return _hits(platform, query, table, None)


def _hits(
    platform: Searchable, query: CaseQuery, table: pa.Table, patient: Presentation | None
) -> list[CaseHit]:
    chosen = query.where.model_dump(exclude_none=True)
    facts = [f"{name} {value}" for name, value in chosen.items() if name != "state"]
    if query.text.strip():
        facts.append("words of the text")
    profiles = profiles_of(table, platform.ontology)
    hits = []
    for place, row in enumerate(table.drop(["terms", "excluded", "text"]).to_pylist()):
        case = profiles.presentation(place)
        hits.append(
            CaseHit(
                platform=platform.platform_id,
                case_id=row["case_id"],
                origin=row["origin"],
                disease_id=row["disease_id"],
                disease_label=row["disease_label"],
                category=row["category"],
                rare_feature=row["rare_feature"],
                score=row["score"],
                facts=tuple(facts),
                **_reasons(patient, case, platform.ontology),
            )
        )
    return hits


def _reasons(
    patient: Presentation | None, case: Presentation, ontology: Ontology
) -> dict[str, object]:
    if patient is None:
        return {"similarity": 0.0}
    return {
        "similarity": round(similarity(patient.observed, case.observed, ontology), 6),
        "matches": explain(patient.observed, case.observed, ontology),
        "against": opposing(patient, case, ontology),
    }
