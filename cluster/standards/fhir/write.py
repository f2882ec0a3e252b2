"""A phenopacket as a FHIR R4 Bundle of type collection.

    subject           Patient: id and gender; no name, no date of birth
    its age           Observation 30525-0 (LOINC), in years, months, weeks or days
    a feature         Observation: the HPO term, LOINC Present or Absent as its value, the onset as
                      an extension (HL7 Phenomics Exchange, which says presence in this way)
    a disease         Condition; refuted where it was excluded
    a gene            Observation 48018-6 (LOINC), whose focus is the diagnosis

Names of variants, publications and everything else stay behind, and so does a term whose id is no
code of a known vocabulary. A Bundle holds what the phenopacket holds: one that leaves a platform is
made from a redacted phenopacket.
"""

import re
import uuid
from typing import Any, Final

from cluster.case.case import Case, read_case
from cluster.case.codes import code_of, is_gene_id, is_symbol
from cluster.case.phenopacket import GenomicInterpretation, TimeElement
from cluster.ids import canonical_json
from cluster.standards.fhir.systems import (
    ABSENT,
    AGE,
    CODED_ONSET,
    GENE_STUDIED,
    HGNC,
    ONSET,
    PRESENT,
    VERIFICATION,
    concept,
)
from cluster.standards.fhir.times import age_of, onset_of

GENDERS: Final = {
    "UNKNOWN_SEX": "unknown",
    "FEMALE": "female",
    "MALE": "male",
    "OTHER_SEX": "other",
}
CERTAINTY: Final = {"SOLVED": "confirmed", "IN_PROGRESS": "provisional", "UNSOLVED": "unconfirmed"}
"""Verification of a Condition by the progress of its interpretation; other progress says none."""
FHIR_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")

Json = dict[str, Any]


def bundle_of(packet: Json) -> Json:
    """Write a phenopacket as a Bundle; the same phenopacket gives the same Bundle.

    Args:
        packet: JSON content of a phenopacket, redacted if the Bundle is to leave the platform.

    Raises:
        CaseInvalid: it is no phenopacket.
    """
    case = read_case(canonical_json(packet))
    entries = _Entries(case.case_id)
    subject = case.phenopacket.subject
    patient: Json = {"resourceType": "Patient", **_identified(subject.id or case.case_id)}
    patient["gender"] = GENDERS[case.sex]
    entries.patient = entries.add(patient)
    _add_age(entries, subject.time_at_last_encounter)
    for feature in case.phenopacket.phenotypic_features:
        if code := concept(feature.type.id, feature.type.label):
            content: Json = {"code": code, "valueCodeableConcept": {"coding": [PRESENT]}}
            if feature.excluded:
                content["valueCodeableConcept"] = {"coding": [ABSENT]}
            if onset := onset_of(feature.onset):
                content["extension"] = [{"url": ONSET, **onset}]
            entries.observe(content)
    _add_diseases(entries, case)
    return {
        "resourceType": "Bundle",
        **_identified(case.case_id, is_list=False),
        "type": "collection",
        "entry": entries.entries,
    }


class _Entries:
    """The entries so far; each has an address that only depends on the case and its place."""

    def __init__(self, case_id: str) -> None:
        self._case_id = case_id
        self.entries: list[Json] = []
        self.patient = ""

    def add(self, resource: Json) -> str:
        """Append a resource and return its address."""
        name = f"{self._case_id}#{len(self.entries)}"
        address = uuid.uuid5(uuid.NAMESPACE_OID, name).urn
        self.entries.append({"fullUrl": address, "resource": resource})
        return address

    def observe(self, content: Json) -> None:
        """Append an Observation about the patient."""
        subject = {"reference": self.patient}
        self.add({"resourceType": "Observation", "status": "final", "subject": subject, **content})


def _identified(name: str, *, is_list: bool = True) -> Json:
    """Return a name as an id, or as an identifier where FHIR's ids do not take it."""
    if FHIR_ID.fullmatch(name):
        return {"id": name}
    identifier = {"value": name}
    return {"identifier": [identifier] if is_list else identifier}


def _add_age(entries: _Entries, time: TimeElement | None) -> None:
    age = age_of(time.age) if time and time.age else None
    if age:
        entries.observe({"code": {"coding": [AGE]}, "valueQuantity": age})


def _add_diseases(entries: _Entries, case: Case) -> None:
    """Append a Condition for each disease, those of the interpretations first, and the genes."""
    onsets = {one.term.id: onset_of(one.onset) for one in case.phenopacket.diseases}
    seen: set[tuple[str, bool]] = set()
    for interpretation in case.phenopacket.interpretations:
        diagnosis = interpretation.diagnosis
        if diagnosis is None:
            continue
        address = ""
        term = diagnosis.disease
        if term and code_of(term.id):
            sure = CERTAINTY.get(interpretation.progress_status, "")
            condition = _condition(concept(term.id, term.label), sure, onsets.get(term.id, {}))
            address = entries.add(condition | {"subject": {"reference": entries.patient}})
            seen.add((term.id, False))
        for genomic in diagnosis.genomic_interpretations:
            _add_gene(entries, genomic, address)
    for disease in case.phenopacket.diseases:
        code = concept(disease.term.id, disease.term.label)
        if code and (disease.term.id, disease.excluded) not in seen:
            seen.add((disease.term.id, disease.excluded))
            sure = "refuted" if disease.excluded else ""
            condition = _condition(code, sure, onset_of(disease.onset))
            entries.add(condition | {"subject": {"reference": entries.patient}})


def _condition(code: Json, certainty: str, onset: Json) -> Json:
    shown: Json = {"resourceType": "Condition", "code": code}
    if certainty:
        shown["verificationStatus"] = {"coding": [{"system": VERIFICATION, "code": certainty}]}
    if "valueAge" in onset:
        shown["onsetAge"] = onset["valueAge"]
    elif onset:
        shown["extension"] = [{"url": CODED_ONSET, **onset}]
    return shown


def _add_gene(entries: _Entries, genomic: GenomicInterpretation, diagnosis: str) -> None:
    described = genomic.variant
    gene = described.gene_context if described else genomic.gene
    if gene is None:
        return
    value: Json = {"text": gene.symbol} if is_symbol(gene.symbol) else {}
    if is_gene_id(gene.value_id) and gene.value_id.startswith("HGNC:"):
        display = {"display": gene.symbol} if value else {}
        value["coding"] = [{"system": HGNC, "code": gene.value_id, **display}]
    if value:
        focus = {"focus": [{"reference": diagnosis}]} if diagnosis else {}
        code = {"coding": [GENE_STUDIED]}
        entries.observe({"code": code, "valueCodeableConcept": value, **focus})
