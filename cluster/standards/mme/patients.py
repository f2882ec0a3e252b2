"""Patients of the Matchmaker Exchange as cases: test data that servers of it share, in a file."""

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from cluster.case.codes import code_of
from cluster.errors import InputError
from cluster.standards.mme.match import SEX, SymbolOf, symbol_in
from cluster.standards.mme.messages import Json, Patient, fault_of, parsed_json

SEX_OF: Final = {told: name for name, told in SEX.items()}


def phenopackets_of(content: bytes, symbol_of: SymbolOf) -> tuple[list[Json], list[str]]:
    """Return the patients of a file as phenopackets, and what is wrong with those left out.

    Args:
        content: JSON, a list of patients of which each says that it is test data.
        symbol_of: knows genes.

    Raises:
        InputError: it is no list.
    """
    given = parsed_json(content)
    if not isinstance(given, list):
        what = "the file is no list of patients"
        raise InputError(what, remedy="Give patients as the Matchmaker Exchange writes them.")
    packets, faults = [], []
    for place, one in enumerate(given):
        try:
            patient = Patient.model_validate(one)
        except ValidationError as error:
            faults.append(fault_of(error, str(place)))
            continue
        if patient.test:
            packets.append(phenopacket_of(patient, symbol_of))
        else:
            faults.append(f"{place}.test: the patient is not marked as test data")
    return packets, faults


def phenopacket_of(patient: Patient, symbol_of: SymbolOf) -> Json:
    """Write a patient as a phenopacket: signs, genes by symbol, diagnoses and sex.

    Label and contact are left out, for a case has none; so are variants and genes that are unknown.
    """
    terms = [
        {"id": code, "label": one.label} for one in patient.disorders if (code := code_of(one.id))
    ]
    symbols = [symbol_in(one.gene, symbol_of) for one in patient.genomic_features]
    return {
        "id": patient.id,
        "subject": {"id": patient.id, "sex": SEX_OF.get(patient.sex or "", "UNKNOWN_SEX")},
        "phenotypicFeatures": [
            {"type": {"id": one.id, "label": one.label}, "excluded": one.observed == "no"}
            for one in patient.features
            if one.observed != "unknown"
        ],
        "interpretations": _interpretations(patient.id, terms, list(dict.fromkeys(symbols))),
        "diseases": [{"term": term} for term in terms],
    }


def _interpretations(name: str, terms: Sequence[Json], symbols: Sequence[str]) -> list[Json]:
    genomics = [
        {
            "subjectOrBiosampleId": name,
            "interpretationStatus": "CANDIDATE",
            "gene": {"symbol": symbol},
        }
        for symbol in symbols
        if symbol
    ]
    if not genomics:
        return []
    diagnosis: Json = {"genomicInterpretations": genomics}
    if terms:
        diagnosis["disease"] = terms[0]
    return [{"id": name, "progressStatus": "IN_PROGRESS", "diagnosis": diagnosis}]
