"""A case: the stored document and what is read out of it, once, when it comes in (S310)."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import ValidationError

from cluster.case.phenopacket import SEXES, YEAR_DAYS, OntologyClass, Phenopacket
from cluster.errors import CaseInvalid
from cluster.ids import canonical_json, sha256

HPO: Final = "HP"
"""Prefix of the ontology of phenotypes, in ids of terms and in resources."""


@dataclass(frozen=True)
class Case:
    """A phenopacket with its digest; everything else is derived from the document."""

    phenopacket: Phenopacket
    document: str
    """The whole phenopacket as canonical JSON, with the fields that Dazzle does not interpret."""

    @property
    def case_id(self) -> str:
        """The phenopacket's id: unique on its platform (a subject's id is not)."""
        return self.phenopacket.id

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the document."""
        return sha256(self.document)

    @cached_property
    def diseases(self) -> tuple[OntologyClass, ...]:
        """The diseases given and not excluded, each once: first those of the interpretations."""
        given = self._given_diseases.items()
        return tuple(term for name, term in given if name not in self.excluded_diseases)

    @cached_property
    def conflicting_diseases(self) -> tuple[str, ...]:
        """Ids of the diseases that are given and excluded: counted as neither."""
        return tuple(name for name in self._given_diseases if name in self.excluded_diseases)

    @cached_property
    def _given_diseases(self) -> dict[str, OntologyClass]:
        diagnoses = (one.diagnosis for one in self.phenopacket.interpretations)
        named = [diagnosis.disease for diagnosis in diagnoses if diagnosis and diagnosis.disease]
        named += [one.term for one in self.phenopacket.diseases if not one.excluded]
        found: dict[str, OntologyClass] = {}
        for term in named:
            found.setdefault(term.id, term)
        return found

    @cached_property
    def excluded_diseases(self) -> frozenset[str]:
        """Ids of the diseases that were ruled out."""
        return frozenset(one.term.id for one in self.phenopacket.diseases if one.excluded)

    @property
    def disease(self) -> OntologyClass | None:
        """The diagnosed disease: from the interpretations, else the first one not excluded."""
        return self.diseases[0] if self.diseases else None

    @cached_property
    def _states(self) -> tuple[dict[str, None], dict[str, None]]:
        """Ids of the terms said to be there, and of those said to be absent, each once."""
        seen: dict[str, None] = {}
        absent: dict[str, None] = {}
        for feature in self.phenopacket.phenotypic_features:
            (absent if feature.excluded else seen)[feature.type.id] = None
        return seen, absent

    @cached_property
    def observed(self) -> tuple[str, ...]:
        """Ids of the terms that were seen, each once, in the document's order."""
        seen, absent = self._states
        return tuple(term for term in seen if term not in absent)

    @cached_property
    def excluded(self) -> tuple[str, ...]:
        """Ids of the terms that were looked for and found absent: never read as seen."""
        seen, absent = self._states
        return tuple(term for term in absent if term not in seen)

    @cached_property
    def conflicting(self) -> tuple[str, ...]:
        """Ids of the terms said to be there and to be absent: counted as neither."""
        seen, absent = self._states
        return tuple(term for term in seen if term in absent)

    @cached_property
    def genes(self) -> tuple[str, ...]:
        """Symbols of the genes in the diagnoses, sorted."""
        found = {
            genomic.gene_symbol()
            for interpretation in self.phenopacket.interpretations
            if interpretation.diagnosis
            for genomic in interpretation.diagnosis.genomic_interpretations
        }
        return tuple(sorted(found - {""}))

    @property
    def publication(self) -> tuple[str, str]:
        """Id and title of the first publication; empty texts where there is none."""
        references = self.phenopacket.meta_data.external_references
        return (references[0].id, references[0].description) if references else ("", "")

    @property
    def sex(self) -> str:
        """The sex as a code of the schema; ``UNKNOWN_SEX`` where it is missing or another text."""
        given = self.phenopacket.subject.sex
        return given if given in SEXES else SEXES[0]

    @property
    def age_days(self) -> float | None:
        """Age at the last encounter in days; before birth it is 0, from a class there is none."""
        element = self.phenopacket.subject.time_at_last_encounter
        return element.days() if element else None

    @property
    def age_years(self) -> float | None:
        """Age at the last encounter in years of 365.25 days."""
        days = self.age_days
        return None if days is None else days / YEAR_DAYS

    @cached_property
    def hpo_releases(self) -> tuple[str, ...]:
        """Releases of the HPO that the phenopacket names as its resource, sorted."""
        resources = self.phenopacket.meta_data.resources
        named = {r.version for r in resources if HPO in (r.namespace_prefix, r.id.upper())}
        return tuple(sorted(named - {""}))

    @property
    def text(self) -> str:
        """Words to search: labels of observed terms, the disease, genes and titles."""
        observed = set(self.observed)
        terms = [feature.type for feature in self.phenopacket.phenotypic_features]
        labels = [term.label for term in terms if term.id in observed]
        disease = [self.disease.label] if self.disease else []
        titles = [r.description for r in self.phenopacket.meta_data.external_references]
        return "\n".join([*disease, *self.genes, *titles, *labels])


def read_case(record: bytes | str) -> Case:
    """Read one phenopacket from its JSON text.

    Raises:
        CaseInvalid: it is not JSON, not a phenopacket, or says nothing about anybody.
    """
    try:
        content = json.loads(record, parse_constant=_refuse_constant)
        document = canonical_json(content)
        document.encode()
    except (ValueError, RecursionError) as error:
        what = f"not readable as JSON ({type(error).__name__})"
        raise CaseInvalid(what, remedy="Write one phenopacket as JSON in UTF-8.") from None
    try:
        phenopacket = Phenopacket.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "document"
        what = f"not a phenopacket: {first['type']}"
        raise CaseInvalid(what, where=place, remedy="See the Phenopackets v2 schema.") from None
    case = Case(phenopacket, document)
    if not phenopacket.phenotypic_features and case.disease is None:
        what = "empty: neither a phenotypic feature nor a disease"
        raise CaseInvalid(what, where="document", remedy="Give at least one of the two.")
    return case


def _refuse_constant(name: str) -> float:
    what = f"{name} is not a JSON number"
    raise ValueError(what)
