"""A FHIR R4 Bundle as a phenopacket: what is understood is taken, the rest is told.

Taken are one Patient, Conditions, and Observations of HPO terms, of genes and of the age; each is
checked against the resources of FHIR first (package fhir.resources). Names, dates and addresses are
never looked at. What says neither present nor absent is not taken as present.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from cluster.case.codes import is_gene_id, is_symbol
from cluster.contracts.ingest import Finding
from cluster.errors import InputError
from cluster.standards.fhir import systems
from cluster.standards.fhir.systems import has, named, phenotype_of, term_of
from cluster.standards.fhir.times import duration_of, time_of
from cluster.standards.fhir.write import CERTAINTY, GENDERS

ENTRIES_MAX: Final = 5000
MESSAGES: Final = {
    "fhir_resource_ignored": "a resource of a kind that is not read",
    "fhir_resource_invalid": "not valid in FHIR R4, or an unknown modifier changes it; not read",
    "fhir_subject_other": "about somebody or something other than the patient; not read",
    "fhir_not_valid_now": "entered in error or cancelled; not read",
    "fhir_code_unknown": "no code of a known vocabulary; not read",
    "fhir_value_missing": "says neither present nor absent; not read",
    "fhir_time_unreadable": "the onset or age cannot be read; left out",
}
"""What is told of an entry, by code."""

_GENENAMES: Final = "http://www.genenames.org"
"""What the addresses of gene ids and of gene symbols begin with."""
_WITHDRAWN: Final = ("entered-in-error", "cancelled")
_YES: Final = (named(systems.PRESENT), (systems.SNOMED, "52101004"))
_NO: Final = (named(systems.ABSENT), (systems.SNOMED, "2667000"))
_POSITIVE: Final = (systems.INTERPRETATION, "POS")
_NEGATIVE: Final = (systems.INTERPRETATION, "NEG")
_RULED_OUT: Final = ((systems.VERIFICATION, "refuted"), (systems.SNOMED, "315215002"))

Json = dict[str, Any]


@dataclass
class ReadBundle:
    """A phenopacket, and what of the Bundle is not in it."""

    phenopacket: Json
    findings: list[Finding] = field(default_factory=list)


@dataclass
class _Reading:
    """What was read so far."""

    file: str
    findings: list[Finding] = field(default_factory=list)
    features: list[Json] = field(default_factory=list)
    conditions: list[tuple[tuple[str, ...], Json, str]] = field(default_factory=list)
    """Addresses, disease, progress of the interpretation."""
    genes: list[tuple[tuple[str, ...], Json]] = field(default_factory=list)
    """Addresses of what it is about, gene."""
    age: str = ""

    def tell(self, code: str, number: int) -> None:
        """Say something about an entry, by its number."""
        message = f"entry.{number}: {MESSAGES[code]}"
        self.findings.append(Finding(level="warning", code=code, file=self.file, message=message))


def read_bundle(content: object, file: str = "bundle") -> ReadBundle:
    """Read a Bundle about one patient.

    Args:
        content: the JSON content.
        file: where it comes from, for the findings.

    Raises:
        InputError: it is no Bundle, has not exactly one patient, names no case, or no HPO term in
            it can be read.
    """
    bundle, entries = _opened(content)
    patients = [n for n, (_, one) in enumerate(entries) if one.get("resourceType") == "Patient"]
    if len(patients) != 1:
        what = f"the Bundle has {len(patients)} patients"
        raise InputError(what, where="Bundle.entry", remedy="Send one Patient, with one case.")
    addresses, raw = entries[patients[0]]
    patient = _checked("Patient", raw)
    if patient is None:
        what = "the Patient is not valid in FHIR R4, or a modifier changes its meaning"
        remedy = "See http://hl7.org/fhir/R4/patient.html"
        raise InputError(what, where=f"entry.{patients[0]}", remedy=remedy)
    reading = _Reading(file)
    for number, (own, resource) in enumerate(entries):
        if number != patients[0]:
            _read(reading, number, own, resource, addresses)
    if not reading.features:
        what = "no HPO term can be read that is said to be present or absent"
        remedy = f"Give Observations with a code of {systems.HPO} and a value."
        raise InputError(what, where="Bundle.entry", remedy=remedy)
    return ReadBundle(_packet(_case_id(bundle, patient), patient, reading), reading.findings)


def _opened(content: object) -> tuple[Json, list[tuple[tuple[str, ...], Json]]]:
    """Return the Bundle, and the addresses and the resource of each entry."""
    if not isinstance(content, Mapping) or content.get("resourceType") != "Bundle":
        what = "not a FHIR Bundle"
        raise InputError(what, where="resourceType", remedy="Send a Bundle in FHIR R4 JSON.")
    entries = content.get("entry") or []
    if not isinstance(entries, list) or len(entries) > ENTRIES_MAX:
        what = f"the entries are no list of at most {ENTRIES_MAX}"
        raise InputError(what, where="Bundle.entry", remedy="Send one case in one Bundle.")
    opened = []
    for one in entries:
        entry = one if isinstance(one, Mapping) else {}
        resource = entry.get("resource")
        resource = dict(resource) if isinstance(resource, Mapping) else {}
        own = f"{resource.get('resourceType')}/{resource['id']}" if resource.get("id") else ""
        addresses = (str(entry.get("fullUrl") or ""), own)
        opened.append((tuple(one for one in addresses if one), resource))
    return dict(content), opened


@cache
def _models() -> dict[str, type[BaseModel]]:
    """Import the resources of FHIR R4 where a Bundle is first read; it takes a moment."""
    from fhir.resources.R4B.condition import Condition
    from fhir.resources.R4B.observation import Observation
    from fhir.resources.R4B.patient import Patient

    return {"Condition": Condition, "Observation": Observation, "Patient": Patient}


def _checked(kind: str, resource: Json) -> Json | None:
    """Return a resource that is valid in FHIR R4, with its values in their types; else None.

    FHIR forbids to read a resource with modifiers or rules that the reader does not know.
    """
    if resource.get("modifierExtension") or resource.get("implicitRules"):
        return None
    try:
        return dict(_models()[kind].model_validate(resource).model_dump())
    except (ValidationError, ValueError, TypeError, RecursionError):
        return None


def _read(
    reading: _Reading, number: int, own: tuple[str, ...], raw: Json, patient: tuple[str, ...]
) -> None:
    """Take what is understood of an entry, and tell what is not."""
    kind = raw.get("resourceType")
    if kind not in ("Condition", "Observation"):
        return reading.tell("fhir_resource_ignored", number)
    resource = _checked(kind, raw)
    if resource is None:
        return reading.tell("fhir_resource_invalid", number)
    about = (resource.get("subject") or {}).get("reference")
    if about is not None and not set(_places(about)) & set(patient):
        return reading.tell("fhir_subject_other", number)
    withdrawn = has(resource.get("verificationStatus"), (systems.VERIFICATION, _WITHDRAWN[0]))
    if withdrawn or resource.get("status") in _WITHDRAWN:
        return reading.tell("fhir_not_valid_now", number)
    if kind == "Condition":
        return _read_condition(reading, number, own, resource)
    return _read_observation(reading, number, resource)


def _places(reference: str) -> tuple[str, str]:
    """Return what a reference may point at: an address as it is, or the end of one on a server."""
    bare = reference.partition("/_history/")[0]
    return bare, "/".join(bare.split("/")[-2:])


def _read_condition(reading: _Reading, number: int, own: tuple[str, ...], resource: Json) -> None:
    term = term_of(resource.get("code") or {})
    if term is None:
        return reading.tell("fhir_code_unknown", number)
    status = resource.get("verificationStatus")
    is_out = has(status, *_RULED_OUT) or has(resource.get("clinicalStatus"), *_RULED_OUT)
    said = {"valueAge": resource["onsetAge"]} if resource.get("onsetAge") else None
    found: Json = _when(reading, number, resource, systems.CODED_ONSET, said)
    if is_out:
        found["excluded"] = True
    if term["id"].startswith("HP:"):
        reading.features.append({"type": term, **found})
        return None
    sure = {code: progress for progress, code in CERTAINTY.items()}
    progress = [sure[code] for code in sure if has(status, (systems.VERIFICATION, code))]
    reading.conditions.append((own, {"term": term, **found}, "".join(progress)))
    return None


def _read_observation(reading: _Reading, number: int, resource: Json) -> None:
    code = resource.get("code") or {}
    if has(code, named(systems.GENE_STUDIED)):
        return _read_gene(reading, number, resource)
    if resource.get("focus"):
        return reading.tell("fhir_subject_other", number)
    if has(code, named(systems.AGE)):
        reading.age = duration_of(resource.get("valueQuantity") or {})
        return None if reading.age else reading.tell("fhir_time_unreadable", number)
    term = phenotype_of(code)
    if term is None:
        return reading.tell("fhir_resource_ignored", number)
    presence = _presence(resource)
    if presence is None:
        return reading.tell("fhir_value_missing", number)
    found: Json = {"type": term} | ({} if presence else {"excluded": True})
    reading.features.append(found | _when(reading, number, resource, systems.ONSET))
    return None


def _presence(resource: Json) -> bool | None:
    """Return whether a sign was seen, by its value or interpretation; None if it does not say."""
    if resource.get("dataAbsentReason"):
        return None
    if "valueBoolean" in resource:
        return bool(resource["valueBoolean"])
    value = resource.get("valueCodeableConcept")
    interpretations = resource.get("interpretation") or []
    yes = has(value, *_YES) or any(has(one, _POSITIVE) for one in interpretations)
    no = has(value, *_NO) or any(has(one, _NEGATIVE) for one in interpretations)
    return None if yes == no else yes


def _when(
    reading: _Reading, number: int, resource: Json, url: str, said: Json | None = None
) -> Json:
    """Return the onset of a resource, from what it says or from an extension."""
    extensions = resource.get("extension") or []
    given = said or next((one for one in extensions if one.get("url") == url), None)
    if given is None:
        return {}
    time = time_of(given)
    if not time:
        reading.tell("fhir_time_unreadable", number)
    return {"onset": time} if time else {}


def _read_gene(reading: _Reading, number: int, resource: Json) -> None:
    value = resource.get("valueCodeableConcept") or {}
    codings = value.get("coding") or []
    ids = [one.get("code", "") for one in codings if str(one.get("system")).startswith(_GENENAMES)]
    symbols = [*(one.get("display") or "" for one in codings), value.get("text") or "", *ids]
    gene = {
        "valueId": next((one for one in ids if is_gene_id(one)), ""),
        "symbol": next((one for one in symbols if is_symbol(one)), ""),
    }
    if not any(gene.values()):
        return reading.tell("fhir_code_unknown", number)
    focus = tuple(str(one.get("reference")) for one in resource.get("focus") or [])
    reading.genes.append((focus, gene))
    return None


def _case_id(bundle: Json, patient: Json) -> str:
    """Return the name of the case: the Bundle's own, else the patient's."""
    identifier = bundle.get("identifier")
    given = identifier.get("value") if isinstance(identifier, Mapping) else None
    name = bundle.get("id") or given or _patient_id(patient)
    if not isinstance(name, str) or not 0 < len(name) <= 255:
        what = "neither the Bundle nor its Patient has an id of 1 to 255 characters"
        raise InputError(what, where="Bundle.id", remedy="Give the Bundle an id.")
    return name


def _patient_id(patient: Json) -> str:
    identifiers = patient.get("identifier") or [{}]
    return str(patient.get("id") or identifiers[0].get("value") or "")


def _packet(case_id: str, patient: Json, reading: _Reading) -> Json:
    sexes = {gender: sex for sex, gender in GENDERS.items()}
    subject: Json = {"id": _patient_id(patient) or case_id}
    subject["sex"] = sexes.get(str(patient.get("gender")), "UNKNOWN_SEX")
    if reading.age:
        subject["timeAtLastEncounter"] = {"age": {"iso8601duration": reading.age}}
    return {
        "id": case_id,
        "subject": subject,
        "phenotypicFeatures": reading.features,
        "interpretations": list(_interpretations(case_id, reading)),
        "diseases": [disease for _, disease, _ in reading.conditions],
        "metaData": {"phenopacketSchemaVersion": "2.0"},
    }


def _interpretations(case_id: str, reading: _Reading) -> Iterator[Json]:
    """Give the diagnoses up to the last one with a gene or a certainty, then the other genes.

    So the diseases of the case keep their order: those of interpretations come first.
    """
    given = {n: one for n, one in enumerate(reading.conditions) if not one[1].get("excluded")}
    number_of = {address: n for n, (own, _, _) in given.items() for address in own}
    genes: dict[int | None, list[Json]] = {}
    for about, gene in reading.genes:
        aims = [place for reference in about for place in _places(reference) if place in number_of]
        genes.setdefault(number_of[aims[0]] if aims else None, []).append({"gene": gene})
    last = max((n for n, one in given.items() if n in genes or one[2]), default=-1)
    for n, (_, disease, progress) in given.items():
        if n <= last:
            diagnosis = {"disease": disease["term"], "genomicInterpretations": genes.get(n, [])}
            yield _interpretation(f"{case_id}-{n}", diagnosis, progress)
    if None in genes:
        yield _interpretation(f"{case_id}-genes", {"genomicInterpretations": genes[None]}, "")


def _interpretation(name: str, diagnosis: Json, progress: str) -> Json:
    return {"id": name, "progressStatus": progress or "UNKNOWN_PROGRESS", "diagnosis": diagnosis}
