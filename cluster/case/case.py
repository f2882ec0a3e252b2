"""A case: the stored document and what is read out of it, once, when it comes in (S310)."""

import json
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from cluster.case.phenopacket import OntologyClass, Phenopacket
from cluster.errors import CaseInvalid
from cluster.ids import canonical_json, sha256


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
    def disease(self) -> OntologyClass | None:
        """The diagnosed disease: from the interpretations, else the first one not excluded."""
        for interpretation in self.phenopacket.interpretations:
            if interpretation.diagnosis and interpretation.diagnosis.disease:
                return interpretation.diagnosis.disease
        return next((d.term for d in self.phenopacket.diseases if not d.excluded), None)

    @cached_property
    def observed(self) -> tuple[str, ...]:
        """Ids of the terms that were seen, each once, in the document's order."""
        features = self.phenopacket.phenotypic_features
        return tuple(dict.fromkeys(f.type.id for f in features if not f.excluded))

    @cached_property
    def excluded(self) -> tuple[str, ...]:
        """Ids of the terms that were looked for and found absent: never read as seen."""
        features = self.phenopacket.phenotypic_features
        return tuple(dict.fromkeys(f.type.id for f in features if f.excluded))

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
    def age_days(self) -> float | None:
        """Age at the last encounter in days, where it is given as a duration."""
        element = self.phenopacket.subject.time_at_last_encounter
        return element.age.days() if element and element.age else None

    @property
    def text(self) -> str:
        """Words to search: labels of observed terms, the disease, genes and titles."""
        labels = [f.type.label for f in self.phenopacket.phenotypic_features if not f.excluded]
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
