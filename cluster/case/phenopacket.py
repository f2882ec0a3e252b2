"""The parts of a GA4GH Phenopacket v2 that Dazzle understands.

Fields that are not named here stay in the stored document untouched; they are only not
interpreted. JSON names are camelCase, as protobuf's JSON form writes them; null means unset there,
and an enum may be its number. A part that is about a term and names none is left out of what is
read.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

NUMBER = r"([0-9]{1,6}(?:\.[0-9]{1,6})?)"
AGE: Final = re.compile(
    rf"P(?=.)(?:{NUMBER}Y)?(?:{NUMBER}M)?(?:{NUMBER}W)?(?:{NUMBER}D)?"
    rf"(?:T(?=.)(?:{NUMBER}H)?(?:{NUMBER}M)?(?:{NUMBER}S)?)?"
)
YEAR_DAYS: Final = 365.25
AGE_UNITS_DAYS: Final = (YEAR_DAYS, YEAR_DAYS / 12, 7.0, 1.0, 1 / 24, 1 / 1440, 1 / 86_400)
BIRTH_GESTATION_DAYS: Final = 280.0
"""Forty weeks of gestation: where birth is put on the scale of a gestational age."""

WEEK_DAYS: Final = 7
GESTATION_WEEKS_MAX: Final = 45
ALWAYS: Final = float("inf")
ONSET_CLASSES: Final[dict[str, tuple[float, float]]] = {
    "HP:0030674": (-BIRTH_GESTATION_DAYS, 0.0),  # antenatal
    "HP:0011460": (-BIRTH_GESTATION_DAYS, 70 - BIRTH_GESTATION_DAYS),  # embryonal
    "HP:0011461": (70 - BIRTH_GESTATION_DAYS, 0.0),  # fetal
    "HP:0034199": (77 - BIRTH_GESTATION_DAYS, 98 - BIRTH_GESTATION_DAYS),  # late first trimester
    "HP:0034198": (98 - BIRTH_GESTATION_DAYS, 196 - BIRTH_GESTATION_DAYS),  # second trimester
    "HP:0034197": (196 - BIRTH_GESTATION_DAYS, 0.0),  # third trimester
    "HP:0003577": (-BIRTH_GESTATION_DAYS, 1.0),  # congenital: there at birth, so perhaps before
    "HP:0003623": (0.0, 28.0),  # neonatal
    "HP:0410280": (28.0, 16 * YEAR_DAYS),  # pediatric
    "HP:0003593": (28.0, YEAR_DAYS),  # infantile
    "HP:0011463": (YEAR_DAYS, 5 * YEAR_DAYS),  # childhood
    "HP:0003621": (5 * YEAR_DAYS, 16 * YEAR_DAYS),  # juvenile
    "HP:0003581": (16 * YEAR_DAYS, ALWAYS),  # adult
    "HP:0011462": (16 * YEAR_DAYS, 40 * YEAR_DAYS),  # young adult
    "HP:0025708": (16 * YEAR_DAYS, 19 * YEAR_DAYS),  # early young adult
    "HP:0025709": (19 * YEAR_DAYS, 25 * YEAR_DAYS),  # intermediate young adult
    "HP:0025710": (25 * YEAR_DAYS, 40 * YEAR_DAYS),  # late young adult
    "HP:0003596": (40 * YEAR_DAYS, 60 * YEAR_DAYS),  # middle age
    "HP:0003584": (60 * YEAR_DAYS, ALWAYS),  # late
}
"""First day and end of the classes of onset, in days from birth, as the HPO defines them."""

SEXES: Final = ("UNKNOWN_SEX", "FEMALE", "MALE", "OTHER_SEX")
PROGRESS: Final = ("UNKNOWN_PROGRESS", "IN_PROGRESS", "COMPLETED", "SOLVED", "UNSOLVED")
STATUSES: Final = ("UNKNOWN_STATUS", "REJECTED", "CANDIDATE", "CONTRIBUTORY", "CAUSATIVE")
"""Enums of the schema, each name at its number."""


def _named_in(names: tuple[str, ...]) -> BeforeValidator:
    """Read the number of an enum as its name; one that the schema does not have stays a number."""

    def name_of(given: object) -> object:
        if not isinstance(given, int) or isinstance(given, bool):
            return given
        return names[given] if 0 <= given < len(names) else str(given)

    return BeforeValidator(name_of)


def _is_unnamed(term: object) -> bool:
    """Say whether an ontology class is unset, or has no id."""
    return term is None or (isinstance(term, dict) and term.get("id") in (None, ""))


def _named_or_none(term: object) -> object:
    return None if _is_unnamed(term) else term


def _about_or_none(name: str) -> BeforeValidator:
    """Read a part as None where the class that it is about is not named."""

    def part_or_none(part: object) -> object:
        return None if isinstance(part, dict) and _is_unnamed(part.get(name)) else part

    return BeforeValidator(part_or_none)


Text = Annotated[str, Field(max_length=4096)]
Curie = Annotated[str, Field(pattern=r"^[A-Za-z][\w.-]*:\S+$", max_length=128)]
Span = tuple[float, float]
"""The first day and the end of a time in a life, in days from birth; before it is negative."""


class Message(BaseModel):
    """A protobuf message in its JSON form."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_unset(cls, given: object) -> object:
        if isinstance(given, dict) and None in given.values():
            return {name: value for name, value in given.items() if value is not None}
        return given


class OntologyClass(Message):
    """A term: the id counts, the label only helps people."""

    id: Curie
    label: Text = ""


MaybeClass = Annotated[OntologyClass | None, BeforeValidator(_named_or_none)]


class Age(Message):
    """An age as an ISO 8601 duration; one that cannot be read is kept as it came."""

    iso8601duration: Annotated[Text, Field(alias="iso8601duration")] = ""

    def days(self) -> float | None:
        """Return the age in days, or None where the duration cannot be read."""
        span = self.span_days()
        return span[0] if span else None

    def span_days(self) -> Span | None:
        """Return the age and the end of its last unit: P3Y is three and not yet four."""
        found = AGE.fullmatch(self.iso8601duration)
        if not found:
            return None
        parts = zip(found.groups(), AGE_UNITS_DAYS, strict=True)
        given = [(float(number), unit) for number, unit in parts if number]
        days = sum(number * unit for number, unit in given)
        return (days, days + given[-1][1]) if given else None


class GestationalAge(Message):
    """An age before birth."""

    weeks: int = 0
    days: int = 0

    def span_days(self) -> Span | None:
        """Return the day before birth; None for what is no gestational age."""
        if not (0 <= self.weeks <= GESTATION_WEEKS_MAX and 0 <= self.days < WEEK_DAYS):
            return None
        day = min(self.weeks * WEEK_DAYS + self.days - BIRTH_GESTATION_DAYS, -1.0)
        return day, day + 1


TimeForm = Literal["duration", "gestational_age", "ontology_class", "other"]


class TimeElement(Message):
    """A time in a life, in one of its three common forms."""

    age: Age | None = None
    gestational_age: GestationalAge | None = None
    ontology_class: MaybeClass = None

    @property
    def form(self) -> TimeForm:
        """Which form it has; the rare forms are kept in the document and not interpreted."""
        if self.age:
            return "duration"
        if self.gestational_age:
            return "gestational_age"
        return "ontology_class" if self.ontology_class else "other"

    @property
    def is_invalid(self) -> bool:
        """Whether it is a duration or a gestational age that cannot be read."""
        return self.form in ("duration", "gestational_age") and self.span_days() is None

    def days(self) -> float | None:
        """Return the days since birth: 0 before it, None for a class or what cannot be read."""
        if self.ontology_class or (span := self.span_days()) is None:
            return None
        return max(span[0], 0.0)

    def span_days(self) -> Span | None:
        """Return when it was as far as it is known, or None where it cannot be compared."""
        if self.age:
            return self.age.span_days()
        if self.gestational_age:
            return self.gestational_age.span_days()
        return ONSET_CLASSES.get(self.ontology_class.id) if self.ontology_class else None


class Individual(Message):
    """The person a case is about."""

    id: Text = ""
    sex: Annotated[Text, _named_in(SEXES)] = SEXES[0]
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
    allelic_state: MaybeClass = None
    structural_type: object = None
    vcf_record: object = None

    @property
    def has_no_place(self) -> bool:
        """Whether it is a structural variant by its label alone, without coordinates."""
        return bool(self.structural_type) and not (self.vcf_record or self.expressions)


class VariantInterpretation(Message):
    """What a laboratory says of a variant."""

    variation_descriptor: VariationDescriptor | None = None


class GenomicInterpretation(Message):
    """A variant, or a gene without one, in a diagnosis."""

    interpretation_status: Annotated[Text, _named_in(STATUSES)] = ""
    variant_interpretation: VariantInterpretation | None = None
    gene: GeneContext | None = None

    @property
    def variant(self) -> VariationDescriptor | None:
        """The variant, where there is one."""
        found = self.variant_interpretation
        return found.variation_descriptor if found else None

    def gene_symbol(self) -> str:
        """Return the gene's symbol, or an empty text."""
        described = self.variant
        context = described.gene_context if described else self.gene
        return context.symbol if context else ""


class Diagnosis(Message):
    """A disease with the genomic findings that speak for it."""

    disease: MaybeClass = None
    genomic_interpretations: tuple[GenomicInterpretation, ...] = ()

    @property
    def is_unnamed(self) -> bool:
        """Whether a disease is given that has no id."""
        return self.disease is None and "disease" in self.model_fields_set


class Interpretation(Message):
    """A diagnosis and how far it got."""

    progress_status: Annotated[Text, _named_in(PROGRESS)] = PROGRESS[0]
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


class Resource(Message):
    """An ontology or nomenclature that a phenopacket was written with."""

    id: Text = ""
    version: Text = ""
    namespace_prefix: Text = ""


class MetaData(Message):
    """Where the phenopacket comes from."""

    phenopacket_schema_version: Text = ""
    resources: tuple[Resource, ...] = ()
    external_references: tuple[ExternalReference, ...] = ()


MaybeFeature = Annotated[PhenotypicFeature | None, _about_or_none("type")]
MaybeDisease = Annotated[Disease | None, _about_or_none("term")]


class Phenopacket(Message):
    """One case."""

    id: Annotated[str, Field(min_length=1, max_length=255)]
    subject: Individual = Individual()
    stated_features: tuple[MaybeFeature, ...] = Field(
        (),
        validation_alias=AliasChoices("phenotypicFeatures", "phenotypic_features"),
        max_length=2000,
    )
    """As the document has them; None for one without a type."""
    interpretations: tuple[Interpretation, ...] = ()
    stated_diseases: tuple[MaybeDisease, ...] = Field((), validation_alias="diseases")
    """As the document has them; None for one without a term."""
    meta_data: MetaData = MetaData()

    @property
    def phenotypic_features(self) -> tuple[PhenotypicFeature, ...]:
        """The features that name a term."""
        return tuple(feature for feature in self.stated_features if feature)

    @property
    def diseases(self) -> tuple[Disease, ...]:
        """The diseases that name one."""
        return tuple(disease for disease in self.stated_diseases if disease)

    @property
    def unnamed_parts(self) -> tuple[str, ...]:
        """Places of the features, diseases and diagnoses that are left out for want of an id."""
        features = (f"phenotypicFeatures.{n}" for n, f in enumerate(self.stated_features) if not f)
        diseases = (f"diseases.{n}" for n, one in enumerate(self.stated_diseases) if not one)
        diagnoses = (
            f"interpretations.{n}.diagnosis.disease"
            for n, one in enumerate(self.interpretations)
            if one.diagnosis and one.diagnosis.is_unnamed
        )
        return (*features, *diseases, *diagnoses)
