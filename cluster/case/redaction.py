"""What of a case may leave its platform: a list of what is allowed, everything else stays.

Ages become years, in bands of five for adults and "90 or more" at the top; dates, names and record
numbers have no place in the result (45 CFR 164.514(b)(2), identifiers A to R). The source's own
words all stay behind: a term and a diagnosis leave with the name that is published under their id,
a publication with its PubMed id. An id leaves only where it is a code of a known vocabulary; else
what it names stays with it.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from cluster.case.case import Case
from cluster.case.codes import code_of, is_gene_id, is_symbol, is_variant
from cluster.case.phenopacket import (
    PROGRESS,
    SEXES,
    STATUSES,
    Disease,
    GeneContext,
    GenomicInterpretation,
    OntologyClass,
    PhenotypicFeature,
    TimeElement,
)

ADULT_YEARS: Final = 18
BAND_YEARS: Final = 5
TOP_YEARS: Final = 90
DAYS_A_YEAR: Final = 365.25
SCHEMA_VERSION: Final = "2.0"

SYNTAXES: Final = (
    "hgvs",
    "hgvs.c",
    "hgvs.p",
    "hgvs.g",
    "hgvs.m",
    "hgvs.n",
    "hgvs.r",
    "iscn",
    "gnomad",
    "spdi",
)

PUBLICATION: Final = re.compile(r"PMID:[0-9]{1,9}")

Json = dict[str, Any]
Labels = Callable[[str], str]
"""The name that is published under the id of a term or a disease; else an empty text."""


def redact(case: Case, shared_id: str, platform: str, labels: Labels) -> Json:
    """Build the phenopacket that may leave, from the allowed fields only.

    Args:
        case: the case as its platform holds it.
        shared_id: the pseudonym that replaces every id of the person and the record.
        platform: the platform that answers for the case, named instead of people.
        labels: names that replace those of the source.
    """
    packet = case.phenopacket
    subject: Json = {"id": shared_id, "sex": _coded(packet.subject.sex, SEXES)}
    age = _time(packet.subject.time_at_last_encounter, labels)
    if age:
        subject["timeAtLastEncounter"] = age
    return {
        "id": shared_id,
        "subject": subject,
        "phenotypicFeatures": [
            _feature(f, labels) for f in packet.phenotypic_features if code_of(f.type.id)
        ],
        "interpretations": _interpretations(case, shared_id, labels),
        "diseases": [_disease(d, labels) for d in packet.diseases if code_of(d.term.id)],
        "metaData": {
            "createdBy": platform,
            "phenopacketSchemaVersion": SCHEMA_VERSION,
            "externalReferences": [
                {"id": reference.id}
                for reference in packet.meta_data.external_references
                if PUBLICATION.fullmatch(reference.id)
            ],
        },
    }


def _coded(given: str, codes: tuple[str, ...]) -> str:
    """Return a code of the schema; free text in its place becomes the unknown code."""
    return given if given in codes else codes[0]


def _term(term: OntologyClass, labels: Labels) -> Json:
    return {"id": term.id, "label": labels(term.id)}


def _time(element: TimeElement | None, labels: Labels) -> Json:
    if element is None:
        return {}
    if element.ontology_class:
        known = code_of(element.ontology_class.id)
        return {"ontologyClass": _term(element.ontology_class, labels)} if known else {}
    if element.gestational_age:
        if element.gestational_age.span_days() is None:
            return {}
        return {"gestationalAge": {"weeks": element.gestational_age.weeks}}
    days = element.age.days() if element.age else None
    if days is None:
        return {}
    years = int(days / DAYS_A_YEAR + 1e-9)
    if years >= ADULT_YEARS:
        years = min(years - years % BAND_YEARS, TOP_YEARS)
    return {"age": {"iso8601duration": f"P{years}Y"}}


def _feature(feature: PhenotypicFeature, labels: Labels) -> Json:
    shown: Json = {"type": _term(feature.type, labels)}
    if feature.excluded:
        shown["excluded"] = True
    onset = _time(feature.onset, labels)
    return shown | ({"onset": onset} if onset else {})


def _disease(disease: Disease, labels: Labels) -> Json:
    shown: Json = {"term": _term(disease.term, labels)}
    if disease.excluded:
        shown["excluded"] = True
    onset = _time(disease.onset, labels)
    return shown | ({"onset": onset} if onset else {})


def _interpretations(case: Case, shared_id: str, labels: Labels) -> list[Json]:
    shown = []
    for number, interpretation in enumerate(case.phenopacket.interpretations):
        diagnosis = interpretation.diagnosis
        if diagnosis is None or diagnosis.disease is None or not code_of(diagnosis.disease.id):
            continue
        genomic = [_genomic(g, shared_id, labels) for g in diagnosis.genomic_interpretations]
        shown.append(
            {
                "id": f"{shared_id}-{number}",
                "progressStatus": _coded(interpretation.progress_status, PROGRESS),
                "diagnosis": {
                    "disease": _term(diagnosis.disease, labels),
                    "genomicInterpretations": genomic,
                },
            }
        )
    return shown


def _genomic(genomic: GenomicInterpretation, shared_id: str, labels: Labels) -> Json:
    shown: Json = {
        "subjectOrBiosampleId": shared_id,
        "interpretationStatus": _coded(genomic.interpretation_status, STATUSES),
    }
    variant = genomic.variant_interpretation
    described = variant.variation_descriptor if variant else None
    if described is None:
        if genomic.gene:
            shown["gene"] = _gene(genomic.gene)
        return shown
    descriptor: Json = {
        "expressions": [
            {"syntax": expression.syntax, "value": expression.value}
            for expression in described.expressions
            if expression.syntax in SYNTAXES and is_variant(expression.syntax, expression.value)
        ]
    }
    if described.gene_context:
        descriptor["geneContext"] = _gene(described.gene_context)
    if described.allelic_state and code_of(described.allelic_state.id):
        descriptor["allelicState"] = _term(described.allelic_state, labels)
    shown["variantInterpretation"] = {"variationDescriptor": descriptor}
    return shown


def _gene(gene: GeneContext) -> Json:
    return {
        "valueId": gene.value_id if is_gene_id(gene.value_id) else "",
        "symbol": gene.symbol if is_symbol(gene.symbol) else "",
    }
