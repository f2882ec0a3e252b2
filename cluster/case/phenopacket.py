"""The parts of a GA4GH Phenopacket v2 that Dazzle understands.

Fields that are not named here stay in the stored document untouched; they are only not
interpreted. JSON names are camelCase, as protobuf's JSON form writes them.
"""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

AGE = re.compile(
    r"P(?=.)(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T[\dHMS.]*)?"
)
AGE_UNITS_DAYS = (365.25, 30.4375, 7.0, 1.0)

Text = Annotated[str, Field(max_length=4096)]
Curie = Annotated[str, Field(pattern=r"^[A-Za-z][\w.-]*:\S+$", max_length=128)]


class Message(BaseModel):
    """A protobuf message in its JSON form."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )


class OntologyClass(Message):
    """A term: the id counts, the label only helps people."""

    id: Curie
    label: Text = ""


class Age(Message):
    """An age as an ISO 8601 duration."""

    iso8601duration: Annotated[str, Field(pattern=r"^P\S{1,30}$", alias="iso8601duration")]

    def days(self) -> float | None:
        """Return the age in days, or None where the duration cannot be read."""
        found = AGE.fullmatch(self.iso8601duration)
        if not found:
            return None
        parts = zip(found.groups(), AGE_UNITS_DAYS, strict=True)
        return sum(float(number or 0) * unit for number, unit in parts)


class GestationalAge(Message):
    """An age before birth."""

    weeks: int
    days: int = 0


class TimeElement(Message):
    """A time in a life, in one of its three common forms."""

    age: Age | None = None
    gestational_age: GestationalAge | None = None
    ontology_class: OntologyClass | None = None


class Individual(Message):
    """The person a case is about."""

    id: Text = ""
    sex: Text = "UNKNOWN_SEX"
    time_at_last_encounter: TimeElement | None = None


class PhenotypicFeature(Message):
    """A sign that was looked for: observed, or excluded when it was found absent."""

    type: OntologyClass
    excluded: bool = False
    onset: TimeElement | None = None


class GeneContext(Message):
    """The gene of a variant."""

    value_id: Text = ""
    symbol: Text = ""


class Expression(Message):
    """A variant in a nomenclature such as HGVS."""

    syntax: Text = ""
    value: Text = ""


class VariationDescriptor(Message):
    """A variant by its gene and names."""

    gene_context: GeneContext | None = None
    expressions: tuple[Expression, ...] = ()
    allelic_state: OntologyClass | None = None


class VariantInterpretation(Message):
    """What a laboratory says of a variant."""

    variation_descriptor: VariationDescriptor | None = None


class GenomicInterpretation(Message):
    """A variant, or a gene without one, in a diagnosis."""

    interpretation_status: Text = ""
    variant_interpretation: VariantInterpretation | None = None
    gene: GeneContext | None = None

    def gene_symbol(self) -> str:
        """Return the gene's symbol, or an empty text."""
        variant = self.variant_interpretation
        described = variant.variation_descriptor if variant else None
        context = described.gene_context if described else self.gene
        return context.symbol if context else ""


class Diagnosis(Message):
    """A disease with the genomic findings that speak for it."""

    disease: OntologyClass | None = None
    genomic_interpretations: tuple[GenomicInterpretation, ...] = ()


class Interpretation(Message):
    """A diagnosis and how far it got."""

    progress_status: Text = "UNKNOWN_PROGRESS"

    diagnosis: Diagnosis | None = None


class Disease(Message):
    """A disease that was diagnosed, or ruled out."""

    term: OntologyClass
    excluded: bool = False
    onset: TimeElement | None = None


class ExternalReference(Message):
    """A publication: its id and title."""

    id: Text = ""
    description: Text = ""


class MetaData(Message):
    """Where the phenopacket comes from."""

    external_references: tuple[ExternalReference, ...] = ()


class Phenopacket(Message):
    """One case."""

    id: Annotated[str, Field(min_length=1, max_length=255)]
    subject: Individual = Individual()
    phenotypic_features: Annotated[tuple[PhenotypicFeature, ...], Field(max_length=2000)] = ()
    interpretations: tuple[Interpretation, ...] = ()
    diseases: tuple[Disease, ...] = ()
    meta_data: MetaData = MetaData()
