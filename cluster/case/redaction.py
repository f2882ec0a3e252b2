"""What of a case may leave its platform: a list of what is allowed, everything else stays.

Ages become years, in bands of five for adults and "90 or more" at the top; dates, names, record
numbers and free text have no place in the result (45 CFR 164.514(b)(2), identifiers A to R).
"""

from typing import Any, Final

from cluster.case.case import Case
from cluster.case.phenopacket import (
    Disease,
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

SEXES: Final = ("UNKNOWN_SEX", "FEMALE", "MALE", "OTHER_SEX")
PROGRESS: Final = ("UNKNOWN_PROGRESS", "IN_PROGRESS", "COMPLETED", "SOLVED", "UNSOLVED")
STATUSES: Final = ("UNKNOWN_STATUS", "REJECTED", "CANDIDATE", "CONTRIBUTORY", "CAUSATIVE")
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

Json = dict[str, Any]


def redact(case: Case, shared_id: str, platform: str) -> Json:
    """Build the phenopacket that may leave, from the allowed fields only.

    Args:
        case: the case as its platform holds it.
        shared_id: the pseudonym that replaces every id of the person and the record.
        platform: the platform that answers for the case, named instead of people.
    """
    packet = case.phenopacket
    subject: Json = {"id": shared_id, "sex": _coded(packet.subject.sex, SEXES)}
    age = _time(packet.subject.time_at_last_encounter)
    if age:
        subject["timeAtLastEncounter"] = age
    return {
        "id": shared_id,
        "subject": subject,
        "phenotypicFeatures": [_feature(f) for f in packet.phenotypic_features],
        "interpretations": _interpretations(case, shared_id),
        "diseases": [_disease(d) for d in packet.diseases],
        "metaData": {
            "createdBy": platform,
            "phenopacketSchemaVersion": SCHEMA_VERSION,
            "externalReferences": [
                {"id": reference.id, "description": reference.description}
                for reference in packet.meta_data.external_references
                if reference.id.startswith("PMID:")
            ],
        },
    }


def _coded(given: str, codes: tuple[str, ...]) -> str:
    """Return a code of the schema; free text in its place becomes the unknown code."""
    return given if given in codes else codes[0]


def _term(term: OntologyClass) -> Json:
    return {"id": term.id, "label": term.label}


def _time(element: TimeElement | None) -> Json:
    if element is None:
        return {}
    if element.ontology_class:
        return {"ontologyClass": _term(element.ontology_class)}
    if element.gestational_age:
        return {"gestationalAge": {"weeks": element.gestational_age.weeks}}
    days = element.age.days() if element.age else None
    if days is None:
        return {}
    years = int(days / DAYS_A_YEAR + 1e-9)
    if years >= ADULT_YEARS:
        years = min(years - years % BAND_YEARS, TOP_YEARS)
    return {"age": {"iso8601duration": f"P{years}Y"}}


def _feature(feature: PhenotypicFeature) -> Json:
    shown: Json = {"type": _term(feature.type)}
    if feature.excluded:
        shown["excluded"] = True
    onset = _time(feature.onset)
    return shown | ({"onset": onset} if onset else {})


def _disease(disease: Disease) -> Json:
    shown: Json = {"term": _term(disease.term)}
    if disease.excluded:
        shown["excluded"] = True
    onset = _time(disease.onset)
    return shown | ({"onset": onset} if onset else {})


def _interpretations(case: Case, shared_id: str) -> list[Json]:
    shown = []
    for number, interpretation in enumerate(case.phenopacket.interpretations):
        diagnosis = interpretation.diagnosis
        if diagnosis is None or diagnosis.disease is None:
            continue
        genomic = [_genomic(g, shared_id) for g in diagnosis.genomic_interpretations]
        shown.append(
            {
                "id": f"{shared_id}-{number}",
                "progressStatus": _coded(interpretation.progress_status, PROGRESS),
                "diagnosis": {
                    "disease": _term(diagnosis.disease),
                    "genomicInterpretations": genomic,
                },
            }
        )
    return shown


def _genomic(genomic: GenomicInterpretation, shared_id: str) -> Json:
    shown: Json = {
        "subjectOrBiosampleId": shared_id,
        "interpretationStatus": _coded(genomic.interpretation_status, STATUSES),
    }
    variant = genomic.variant_interpretation
    described = variant.variation_descriptor if variant else None
    if described is None:
        if genomic.gene:
            shown["gene"] = {"valueId": genomic.gene.value_id, "symbol": genomic.gene.symbol}
        return shown
    descriptor: Json = {
        "expressions": [e.model_dump() for e in described.expressions if e.syntax in SYNTAXES]
    }
    if described.gene_context:
        context = described.gene_context
        descriptor["geneContext"] = {"valueId": context.value_id, "symbol": context.symbol}
    if described.allelic_state:
        descriptor["allelicState"] = _term(described.allelic_state)
    shown["variantInterpretation"] = {"variationDescriptor": descriptor}
    return shown
