"""Requests and answers of the API, by the text of its specification.

The schema that servers copy from each other (``api.json``) differs from the text. So this reads
what both allow: more keys, null for absent, ``gender`` for ``sex``, a variant without a start, the
mitochondrial chromosome, a feature that is neither seen nor absent. Disorders of any vocabulary are
taken, since one that is not understood should not cost the whole query.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from cluster.standards.mme.versions import BODY_WRONG, MmeProblem

NOT_JSON: Final = 400
FEATURES_MAX: Final = 200
GENOMIC_FEATURES_MAX: Final = 500
DISORDERS_MAX: Final = 200
RESULTS_MAX: Final = 1000
"""Of an answer of another server that are read."""
GENDERS: Final = {"M": "MALE", "F": "FEMALE"}

Json = dict[str, Any]
Sex = Literal["FEMALE", "MALE", "OTHER", "MIXED_SAMPLE", "NOT_APPLICABLE"]
SEXES: Final = ("FEMALE", "MALE", "OTHER", "MIXED_SAMPLE", "NOT_APPLICABLE")
Name = Annotated[str, Field(min_length=1, max_length=255)]
Words = Annotated[str, Field(max_length=4096)]
HpoId = Annotated[str, Field(pattern=r"^HP:[0-9]{7}$")]


class Part(BaseModel):
    """A part of a message; keys that it does not know are passed over."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: object) -> object:
        if isinstance(given, dict) and None in given.values():
            return {name: value for name, value in given.items() if value is not None}
        return given


class Contact(Part):
    """Whom to write to about a match."""

    name: Name
    href: Annotated[
        str, Field(max_length=2048, pattern=r"^(?i:https?://[^\s/?#]+\S*|mailto:[^\s@]+@[^\s@]+)$")
    ]
    institution: Words = ""
    email: Words = ""
    roles: tuple[Words, ...] = ()


class Disorder(Part):
    """A diagnosis."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z][\w.-]*:\S+$", max_length=128)]
    label: Words = ""


class Feature(Part):
    """A sign that was looked for."""

    id: HpoId
    label: Words = ""
    observed: Literal["yes", "no", "unknown"] = "yes"
    age_of_onset: HpoId | None = None


class Gene(Part):
    """A gene by its Ensembl id, Entrez id or HGNC symbol."""

    id: Name
    gene_name: Annotated[Words, Field(alias="_geneName")] = ""
    """Its symbol beside another id: not of the standard, but sent by several servers."""


class Variant(Part):
    """Where a variant lies; the bases are not read."""

    assembly: Annotated[str, Field(pattern=r"^(NCBI36|GRCh37|GRCh38)(\.p[0-9]{1,3})?$")]
    reference_name: Annotated[str, Field(pattern=r"^([1-9]|1[0-9]|2[0-2]|X|Y|M|MT)$")]
    start: Annotated[int, Field(ge=0)] | None = None
    """0-based."""
    end: Annotated[int, Field(ge=0)] | None = None
    """Exclusive."""


class EffectType(Part):
    """What a variant does, as a term of the Sequence Ontology."""

    id: Annotated[str, Field(pattern=r"^SO:[0-9]{7}$")]
    label: Words = ""


class GenomicFeature(Part):
    """A candidate gene, perhaps with its variant."""

    gene: Gene
    variant: Variant | None = None
    zygosity: Literal[1, 2] | None = None
    type: EffectType | None = None


class Patient(Part):
    """A patient as servers tell each other of one."""

    id: Name
    label: Annotated[str, Field(max_length=255)] = ""
    contact: Contact
    species: Annotated[str, Field(pattern=r"^NCBITaxon:[0-9]{1,9}$")] = "NCBITaxon:9606"
    sex: Sex | None = None
    age_of_onset: HpoId | None = None
    inheritance_mode: HpoId | None = None
    disorders: Annotated[tuple[Disorder, ...], Field(max_length=DISORDERS_MAX)] = ()
    features: Annotated[tuple[Feature, ...], Field(max_length=FEATURES_MAX)] = ()
    genomic_features: Annotated[
        tuple[GenomicFeature, ...], Field(max_length=GENOMIC_FEATURES_MAX)
    ] = ()
    test: bool = False
    """Whether nobody is to be told of it, and made-up patients may match."""

    @model_validator(mode="before")
    @classmethod
    def _gender_is_sex(cls, given: object) -> object:
        if not isinstance(given, dict) or "sex" in given or "gender" not in given:
            return given
        gender = str(given["gender"]).upper()
        sex = GENDERS.get(gender, gender)
        return given | ({"sex": sex} if sex in SEXES else {})

    @model_validator(mode="after")
    def _says_something(self) -> "Patient":
        if not (self.features or self.genomic_features):
            text = "features or genomicFeatures must have an entry"
            raise ValueError(text)
        return self


class MatchRequest(Part):
    """The body of ``POST match``."""

    patient: Patient
    disclaimer: Words = ""
    terms: Words = ""


class Score(Part):
    """How well a patient matches."""

    patient: Annotated[float, Field(ge=0, le=1)]


class Result(Part):
    """A patient that was found."""

    score: Score
    patient: Patient


@dataclass(frozen=True)
class MatchAnswer:
    """What another server has found."""

    results: tuple[Result, ...]
    faults: tuple[str, ...]
    """What is wrong with each result that cannot be read, with its place."""
    disclaimer: str = ""
    terms: str = ""


def parsed_request(body: bytes) -> MatchRequest:
    """Read the body of a request.

    Raises:
        MmeProblem: 400 where it is no JSON, 422 where it is no request.
    """
    content = parsed_json(body)
    try:
        return MatchRequest.model_validate(content)
    except ValidationError as error:
        _refuse(error)


def parsed_answer(body: bytes) -> MatchAnswer:
    """Read the answer of another server; of many results a few may be unreadable.

    Raises:
        MmeProblem: it is no JSON, or no list of results.
    """
    content = parsed_json(body)
    given = content.get("results") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(given, list):
        what = "there is no list of results"
        raise MmeProblem(what, "results")
    if len(given) > RESULTS_MAX:
        what = f"there are more than {RESULTS_MAX} results"
        raise MmeProblem(what, "results")
    results, faults = [], []
    for place, one in enumerate(given):
        try:
            results.append(Result.model_validate(one))
        except ValidationError as error:
            faults.append(fault_of(error, f"results.{place}"))
    told = (content.get(name) for name in ("disclaimer", "terms"))
    disclaimer, terms = (text[:4096] if isinstance(text, str) else "" for text in told)
    return MatchAnswer(tuple(results), tuple(faults), disclaimer, terms)


def parsed_json(body: bytes) -> object:
    """Read JSON; NaN and infinities are none.

    Raises:
        MmeProblem: 400.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        what = "the body is not JSON"
        raise MmeProblem(what, remedy="Send JSON in UTF-8.", status=NOT_JSON) from None


def fault_of(error: ValidationError, within: str = "") -> str:
    """Return the first rule that is broken, with its place and without what was sent."""
    place, rule = _first(error)
    return f"{'.'.join(part for part in (within, place) if part)}: {rule}"


def _first(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")


def _refuse(error: ValidationError) -> NoReturn:
    place, rule = _first(error)
    raise MmeProblem(rule, place or "body", status=BODY_WRONG) from None


def _no_constant(_: str) -> NoReturn:
    raise ValueError
