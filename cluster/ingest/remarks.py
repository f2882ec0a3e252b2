"""Decides what is worth saying about one case that was taken in; it never changes the case.

Messages carry codes, ids and counts. The source's own words, which may name a person, stay out.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cluster.case.case import Case
from cluster.case.phenopacket import SEXES, TimeElement
from cluster.contracts.ingest import Level
from cluster.ontology import Ontology, Terms, term_id, term_number

NAMED_MAX: Final = 5
"""Ids or places that one message names; a longer list ends with its length."""
SCHEMA_VERSION: Final = re.compile(r"2|2\.0(\.[0-9]{1,3})?")


class Remark(NamedTuple):
    """A finding without its place."""

    level: Level
    code: str
    message: str


def case_remarks(case: Case) -> Iterator[Remark]:
    """Say what is doubtful in the document itself: diseases, sex, times, schema, repeats."""
    yield from _disease_remarks(case)
    if unnamed := case.phenopacket.unnamed_parts:
        message = f"{_named(unnamed)}: no id of a term; kept in the document, not read"
        yield Remark("warning", "id_missing", message)
    yield from _time_remarks(case)
    packet = case.phenopacket
    if packet.subject.sex not in SEXES:
        yield Remark("warning", "sex_invalid", "sex is no code of the schema; taken as unknown")
    given = packet.meta_data.phenopacket_schema_version
    if given and not SCHEMA_VERSION.fullmatch(given):
        message = "not written in a schema of version 2.0; read as if it were"
        yield Remark("warning", "schema_version", message)
    n_stated = len(packet.phenotypic_features)
    if n_stated > len(case.observed) + len(case.excluded) + 2 * len(case.conflicting):
        message = f"{_named(_repeated(case))} stand more than once; each counts once"
        yield Remark("note", "term_repeated", message)
    if case.conflicting:
        message = f"{_named(case.conflicting)} both observed and excluded; counted as neither"
        yield Remark("warning", "term_conflict", message)
    if not case.observed:
        message = "no observed term; the case cannot be found by phenotype"
        yield Remark("warning", "no_observed_term", message)


def term_remarks(observed: Terms, excluded: Terms, ontology: Ontology) -> Iterator[Remark]:
    """Say what the ontology has against the terms of a case."""
    for given, now in dict.fromkeys(observed.replaced + excluded.replaced):
        yield Remark("note", "term_obsolete", f"{given} is obsolete; found under {now}")
    for given in observed.unknown + excluded.unknown:
        if term_number(given) < 0:
            message = f"{given} is no HPO id; kept, not used for search"
            yield Remark("warning", "term_foreign", message)
        else:
            message = f"{given} is not in the installed ontology; kept, not used for search"
            yield Remark("warning", "term_unknown", message)
    rows = observed.rows + excluded.rows
    outside = [row for row in dict.fromkeys(rows) if not ontology.is_phenotypic(row)]
    if outside:
        message = f"{_named(_ids(outside, ontology))} not below Phenotypic abnormality; kept"
        yield Remark("warning", "term_not_phenotypic", f"{message}, no part of the category")
    if observed.rows and excluded.rows:
        above = set(ontology.closure(observed.rows).tolist())
        denied = [row for row in excluded.rows if row in above]
        if denied:
            message = f"{_named(_ids(denied, ontology))} excluded, and observed more precisely"
            yield Remark("warning", "term_contradiction", f"{message}; both are kept")


def _disease_remarks(case: Case) -> Iterator[Remark]:
    disease = case.disease
    if disease is None:
        message = "no disease; the case has no class and is not screened"
        yield Remark("warning", "no_disease", message)
    elif len(case.diseases) > 1:
        message = f"{len(case.diseases)} diseases; the first, {disease.id}, is the class"
        yield Remark("note", "disease_several", message)
    if case.conflicting_diseases:
        message = f"{_named(case.conflicting_diseases)} both given and excluded; counted as neither"
        yield Remark("warning", "disease_conflict", message)


def _time_remarks(case: Case) -> Iterator[Remark]:
    encounter = case.phenopacket.subject.time_at_last_encounter
    onsets = list(_onsets(case))
    times = [("timeAtLastEncounter", encounter), *onsets] if encounter else onsets
    invalid = [place for place, time in times if time.is_invalid]
    if invalid:
        message = f"{_named(invalid)}: the age cannot be read; kept, not used"
        yield Remark("warning", "time_invalid", message)
    last = encounter.span_days() if encounter else None
    if last is None:
        return
    spans = [(place, time.span_days()) for place, time in onsets]
    later = [place for place, span in spans if span and span[0] >= last[1]]
    if later:
        message = f"{_named(later)}: the onset lies after the last encounter; both are kept"
        yield Remark("warning", "onset_after_encounter", message)


def _onsets(case: Case) -> Iterator[tuple[str, TimeElement]]:
    for number, disease in enumerate(case.phenopacket.stated_diseases):
        if disease and disease.onset:
            yield f"diseases.{number}.onset", disease.onset
    for number, feature in enumerate(case.phenopacket.stated_features):
        if feature and feature.onset:
            yield f"phenotypicFeatures.{number}.onset", feature.onset


def _repeated(case: Case) -> list[str]:
    seen: set[tuple[str, bool]] = set()
    found: dict[str, None] = {}
    for feature in case.phenopacket.phenotypic_features:
        key = feature.type.id, feature.excluded
        if key in seen:
            found[feature.type.id] = None
        seen.add(key)
    return list(found)


def _ids(rows: Iterable[int], ontology: Ontology) -> list[str]:
    return [term_id(int(ontology.numbers[row])) for row in rows]


def _named(given: Iterable[str]) -> str:
    names = list(given)
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more
