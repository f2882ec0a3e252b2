"""Cases like one that is asked about, on several platforms (S400, A11).

A platform answers from its own cases. Who may receive its cases is told of those that are active
and whose consent is given, under the names by which they are shared, and only what has passed
redaction. Scores are made from what is told and from public weights: no count of a platform is in
them, so that they can be put in one order and say nothing of the cases that stay behind.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Final

import numpy as np
import pyarrow as pa

from cluster.case.case import Case, read_case
from cluster.case.phenopacket import Phenopacket
from cluster.case.redaction import ADULT_YEARS, BAND_YEARS, TOP_YEARS, redact
from cluster.errors import InputError, NotFound, PolicyRefusal
from cluster.flow.platform import Platform
from cluster.flow.search import SCORE_DIGITS, asked_like, patient_of
from cluster.retrieval.diagnosis import Evidence, rank
from cluster.retrieval.evidence import Counts
from cluster.retrieval.feature import vectors
from cluster.retrieval.index import CaseFilter
from cluster.retrieval.profiles import OWN, Presentation, profiles_of
from cluster.retrieval.query import (
    TOLD_MAX,
    CaseQuery,
    Hit,
    NetworkAnswer,
    NetworkQuery,
    NetworkQuestion,
    PlatformAnswer,
    SearchAnswer,
    check_for_others,
)
from cluster.retrieval.ranking import explain, opposing, similarity
from cluster.retrieval.search import CANDIDATES
from cluster.retrieval.similarity import TermSimilarity, likeness
from cluster.storage import cases as case_rows
from cluster.storage import deliveries, journal
from cluster.storage.cases import StoredCase

UNLINKED: Final = "it has no agreement with this platform"


def question(platform: Platform, query: NetworkQuery, by: str) -> NetworkQuestion:
    """Return what is asked of whom; that others are asked is in the audit chain before they are.

    The audit row has no term: queries are not stored.

    Args:
        platform: which asks.
        query: what it looks for.
        by: name of the token.

    Raises:
        InputError: the query cannot be asked, or not of others.
        NotFound: ``like`` names no case of the platform's own.
        PolicyRefusal: that case may not be shared.
    """
    check_for_others(query)
    asked = CaseQuery.model_validate(query.model_dump(exclude={"platforms"}))
    facts: dict[str, object] = {"questions": 1, "by": by}
    with platform.ledger.begin() as tx:
        if query.like is not None:
            _check_like(platform, case_rows.get_case(tx, query.like))
            asked = asked_like(platform, asked).model_copy(update={"like": None})
            facts["case"] = platform.shared_id(query.like, "audit")
        elif query.terms or query.excluded:
            patient_of(platform, query.terms, query.excluded)
        agreed = (platform.platform_id, *deliveries.agreed_peers(tx))
        named = tuple(dict.fromkeys(query.platforms)) or agreed
        refused = tuple(name for name in named if name not in agreed)
        others = sorted({*named} - {*refused, platform.platform_id})
        if others:
            told = facts | {"peers": others}
            journal.append_audit(tx, platform.clock.now(), "disclosure attempted", told)
    return NetworkQuestion(query=asked, platforms=named, refused=refused)


def find_hits(platform: Platform, asker: str, query: CaseQuery) -> tuple[Hit, ...] | None:
    """Answer a platform that asks, best first; what others are told is durable before it is.

    Args:
        platform: whose own, active cases are looked through.
        asker: the platform that asks; at home, cases are named by their own ids.
        query: with terms, codes or both; at home ``like`` is no hit.

    Returns:
        None for a platform that may not receive cases from here.

    Raises:
        InputError: the query may not be asked of others.
    """
    check_for_others(query)
    is_home = asker == platform.platform_id
    if not is_home and query.like is not None:
        what = "a case of another platform is named"
        raise InputError(what, "like", "Give its terms: ids are a platform's own.")
    patient = patient_of(platform, query.terms, query.excluded) if _has_terms(query) else None
    with platform.ledger.begin() as tx:
        peer = deliveries.get_peer(tx, asker)
        if not (is_home or (peer and peer.linked and peer.agreed)):
            return None
        scores = _candidates(platform, query, patient)
        stored = case_rows.get_cases(tx, list(scores))
        told = (
            _hit(platform, query, patient, case, scores[name])
            for name in scores
            if name != query.like
            and name in stored
            and (case := _as_told(platform, asker, stored[name])) is not None
            if _passes(case, query.where, exact=is_home)
        )
        near = (hit for hit in told if hit.similarity or patient is None)
        hits = tuple(islice(near, query.k if is_home else min(query.k, TOLD_MAX)))
        if not is_home:
            facts = {"peer": asker, "cases": sorted(hit.case_id for hit in hits)}
            journal.append_audit(tx, platform.clock.now(), "disclosure attempted", facts)
    return hits


def put_together(
    query: CaseQuery,
    told: Mapping[str, tuple[Hit, ...] | None],
    away: Mapping[str, PlatformAnswer],
    asked: NetworkQuestion,
    own: SearchAnswer,
) -> NetworkAnswer:
    """Make one answer of those of the platforms.

    Args:
        query: what was asked.
        told: by platform; None of one that has no agreement any more.
        away: how those that did not answer failed.
        asked: who was asked.
        own: of the own platform alone, which gives the diseases.
    """
    gone = {name for name, hits in told.items() if hits is None} | {*asked.refused}
    states = {
        name: PlatformAnswer(platform=name, state="not_interconnected", message=UNLINKED)
        for name in gone
    } | dict(away)
    hits = [hit for found in told.values() for hit in found or ()]
    hits.sort(key=lambda hit: (-hit.score, hit.platform, hit.case_id))
    return NetworkAnswer(
        hits=hits[: query.k],
        platforms=[
            states.get(name) or PlatformAnswer(platform=name, state="answered")
            for name in asked.platforms
        ],
        diseases=own.diseases,
        none_of_these=own.none_of_these,
        remarks=own.remarks,
    )


def _check_like(platform: Platform, case: StoredCase | None) -> None:
    if case is None or case.origin != platform.platform_id:
        what = "there is no such case"
        raise NotFound(what, platform.platform_id, "Name one of the platform's own.")
    if (case.state, case.consent) != ("active", "share"):
        what = "the case may not be shared, and its signs are a part of it"
        raise PolicyRefusal(what, "like", "Its consent must be given first.")


def _candidates(
    platform: Platform, query: CaseQuery, patient: Presentation | None
) -> dict[str, float]:
    """Return the cases of the index that come into question with their scores, best first.

    A score is made from the terms of the case, those asked for and public weights.
    """
    where, ontology = _wider(query.where), platform.ontology
    if patient is None:
        return dict.fromkeys(_ids(platform.index.listed(CANDIDATES, where)), 0.0)
    (table,) = platform.index.nearest(vectors([patient.observed], ontology), CANDIDATES, where)
    near = profiles_of(table, ontology)
    nothing = np.zeros((len(patient.examined), 0))
    evidence = Evidence(
        counts=Counts([], np.zeros(0), nothing, nothing),
        diseases=[""] * table.num_rows,
        likeness=likeness(patient, near.observed, near.excluded, TermSimilarity(ontology)),
        cosines=np.asarray(table["score"], np.float64),
    )
    (found,) = rank(patient, [evidence], platform.ranking, 0).case_scores
    scores = {
        name: round(float(score), SCORE_DIGITS)
        for name, score in zip(_ids(table), found, strict=True)
    }
    return dict(sorted(scores.items(), key=lambda one: (-one[1], one[0])))


def _ids(table: pa.Table) -> list[str]:
    return [str(name) for name in table["case_id"].to_pylist()]


def _as_told(platform: Platform, asker: str, stored: StoredCase) -> Case | None:
    """Return a case as who asks may know it; None where it may not.

    Redaction comes before every comparison: what it takes away can find nothing.
    """
    if stored.origin != platform.platform_id or stored.state != "active":
        return None
    is_home = asker == platform.platform_id
    if not is_home and stored.consent != "share":
        return None
    case = read_case(stored.document)
    if is_home:
        return case
    name = platform.shared_id(stored.case_id, asker)
    told = redact(case, name, platform.platform_id, platform.names)
    return Case(Phenopacket.model_validate(told), "")


def _hit(
    platform: Platform,
    query: CaseQuery,
    patient: Presentation | None,
    case: Case,
    score: float,
) -> Hit:
    """Explain a case by what is told of it."""
    ontology = platform.ontology
    chosen = query.where.model_dump(exclude_none=True)
    shown: dict[str, object] = {"similarity": 0.0}
    if patient is not None:
        rows = (ontology.resolve(terms).rows for terms in (case.observed, case.excluded))
        known = Presentation(*rows)
        shown = {
            "similarity": round(similarity(patient.observed, known.observed, ontology), 6),
            "matches": explain(patient.observed, known.observed, ontology),
            "against": opposing(patient, known, ontology),
        }
    return Hit(
        platform=platform.platform_id,
        case_id=case.case_id,
        disease_id=case.disease.id if case.disease else "",
        disease_label=case.disease.label if case.disease else "",
        score=score,
        facts=tuple(f"{name} {value}" for name, value in chosen.items()),
        **shown,
    )


def _wider(where: CaseFilter) -> CaseFilter:
    """Return a filter of the index that lets at least pass what ``_passes`` does."""
    low, high = where.age_min, where.age_max
    bounds = {
        "age_min": None if low is None else max(min(low, TOP_YEARS) - BAND_YEARS, 0.0),
        "age_max": None if high is None or high >= TOP_YEARS else high + BAND_YEARS,
    }
    return where.model_copy(update=bounds | {"state": OWN})


def _passes(case: Case, where: CaseFilter, *, exact: bool) -> bool:
    """Say whether a case, as it is told, has what is asked for; ages of others are in bands."""
    age, low, high = case.age_years, where.age_min, where.age_max
    ages = True
    if low is not None or high is not None:
        least = -1.0 if low is None else low
        most = float("inf") if high is None else high
        is_band = not exact and low is not None and age == told_years(low)
        ages = age is not None and (least <= age or is_band) and age <= most
    return (
        ages
        and where.disease_id in (None, case.disease.id if case.disease else "")
        and (where.gene is None or where.gene in case.genes)
        and where.sex in (None, case.sex)
    )


def told_years(years: float) -> float:
    """Return the age that is told of an age, as redaction has it."""
    whole = int(years + 1e-9)
    if whole >= ADULT_YEARS:
        whole = min(whole - whole % BAND_YEARS, TOP_YEARS)
    return float(whole)


def _has_terms(query: CaseQuery) -> bool:
    return bool(query.terms or query.excluded)
