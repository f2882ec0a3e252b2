"""Code systems and addresses of FHIR, and ids of a phenopacket: one table, read both ways.

Addresses are those of HL7's terminology (terminology.hl7.org) where it lists a vocabulary; others
go under identifiers.org. Readers meet further spellings, which are listed as such.
"""

import re
from typing import Any, Final

from cluster.case.codes import FORMS, code_of

HPO: Final = "http://human-phenotype-ontology.org"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
HGNC: Final = "http://www.genenames.org/geneId"
SNOMED: Final = "http://snomed.info/sct"
VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
INTERPRETATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ONSET: Final = "http://hl7.org/fhir/uv/phenomics-exchange/StructureDefinition/Onset"
CODED_ONSET: Final = "http://hl7.org/fhir/uv/phenomics-exchange/StructureDefinition/CodedOnset"
"""Extensions of HL7's Phenomics Exchange guide."""
GENE_STUDIED: Final = {"system": LOINC, "code": "48018-6", "display": "Gene studied [ID]"}
AGE: Final = {"system": LOINC, "code": "30525-0", "display": "Age"}
PRESENT: Final = {"system": LOINC, "code": "LA9633-4", "display": "Present"}
ABSENT: Final = {"system": LOINC, "code": "LA9634-2", "display": "Absent"}

_REGISTERED: Final = {
    "HP": HPO,
    "OMIM": "http://www.omim.org",
    "ORPHA": "http://www.orpha.net",
    "MONDO": "http://purl.obolibrary.org/obo/mondo.owl",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD10GM": "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "ICD11": "http://id.who.int/icd/release/11/mms",
    "SNOMEDCT": SNOMED,
}
_SYSTEM: Final = {name: f"https://identifiers.org/{name.lower()}" for name in FORMS} | _REGISTERED
_OTHER_SPELLINGS: Final = {
    "http://purl.obolibrary.org/obo/hp.owl": "HP",
    "https://hpo.jax.org": "HP",
    "https://omim.org": "OMIM",
    "https://www.omim.org": "OMIM",
    "http://omim.org": "OMIM",
    "https://www.orpha.net": "ORPHA",
    "http://www.orpha.net/ORDO": "ORPHA",
    "https://monarchinitiative.org": "MONDO",
    "http://purl.obolibrary.org/obo/mondo": "MONDO",
}
_PREFIX: Final = {address: name for name, address in _SYSTEM.items()} | _OTHER_SPELLINGS
_WITH_PREFIX: Final = ("HP", "MONDO")
"""Vocabularies whose codes carry their prefix in FHIR too."""
_RANK: Final = ("OMIM", "ORPHA", "MONDO")
"""Vocabularies of rare diseases, which are taken before a broader one that says the same."""

Json = dict[str, Any]


def coding(term_id: str, label: str) -> Json:
    """Return a FHIR coding of a code, and none (an empty one) of what is no code."""
    code = code_of(term_id)
    prefix, _, local = code.partition(":")
    if not code:
        return {}
    shown = {"system": _SYSTEM[prefix], "code": code if prefix in _WITH_PREFIX else local}
    return shown | ({"display": label} if label else {})


def concept(term_id: str, label: str) -> Json:
    """Return a CodeableConcept of a code, and an empty one of what is no code."""
    found = coding(term_id, label)
    return {"coding": [found]} if found else {}


def term_of(given: Json) -> Json | None:
    """Return the term of a CodeableConcept, a code of a rare disease's vocabulary if there is one.

    Returns:
        ``id`` in its one form and ``label``, or None where no coding is a known code.
    """
    found = [term for one in given.get("coding", ()) if (term := _term(one))]
    if not found:
        return None
    order = {name: rank for rank, name in enumerate(_RANK)}
    return min(found, key=lambda term: order.get(term["id"].partition(":")[0], len(order)))


def phenotype_of(given: Json) -> Json | None:
    """Return the HPO term of a CodeableConcept, or None."""
    terms = (_term(one) for one in given.get("coding", ()))
    return next((term for term in terms if term and term["id"].startswith("HP:")), None)


def has(given: Json | None, *wanted: tuple[str, str]) -> bool:
    """Say whether a CodeableConcept has one of some (system, code)."""
    codings = (given or {}).get("coding", ())
    return any((one.get("system"), one.get("code")) in wanted for one in codings)


def named(pair: Json) -> tuple[str, str]:
    """Return the system and the code of a coding."""
    return pair["system"], pair["code"]


def _term(given: Json) -> Json | None:
    prefix = _PREFIX.get(str(given.get("system", "")).rstrip("/"))
    if prefix is None:
        return None
    local = re.sub(rf"^(?:{prefix}|Orphanet|MIM)[:_]", "", str(given.get("code", "")))
    code = code_of(f"{prefix}:{local}")
    return {"id": code, "label": str(given.get("display", ""))} if code else None
