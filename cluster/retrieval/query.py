"""What is searched for, and what comes back with its reasons (S400)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.case.codes import code_of, is_symbol
from cluster.case.phenopacket import SEXES
from cluster.errors import InputError
from cluster.retrieval.index import EVERY_CASE, CaseFilter
from cluster.retrieval.ranking import TermMatch
from cluster.retrieval.search import CANDIDATES

TERMS_MAX = 500
TEXT_MAX = 4096
K_MAX = CANDIDATES // 2
PLATFORMS_MAX = 50
TOLD_MAX = 20
"""Cases of one platform that another one is told of in one answer."""


class CaseQuery(BaseModel):
    """What to look for: terms, words, or another case; or only what the filter names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    terms: tuple[str, ...] = ()
    """Ids of terms that were seen."""
    excluded: tuple[str, ...] = ()
    """Ids of terms that were looked for and found absent."""
    text: str = ""
    """Words of the stored labels, diagnoses, genes and titles."""
    like: str | None = None
    """Id of a case on the platform, whose terms are asked for; it is not among its own hits."""
    where: CaseFilter = EVERY_CASE
    k: int = 10


class NetworkQuery(CaseQuery):
    """What to look for on several platforms: terms, an own case that may be shared, or codes."""

    platforms: tuple[Annotated[str, Field(max_length=63)], ...] = Field(
        (), max_length=PLATFORMS_MAX
    )
    """Who is asked; empty for the own platform and all that it has an agreement with."""


class NetworkQuestion(BaseModel):
    """What platforms are asked, once the one that asks has let it out."""

    model_config = ConfigDict(frozen=True)

    query: CaseQuery
    """With the terms of the case that was named, and never with its id."""
    platforms: tuple[str, ...]
    """In the order in which they are shown."""
    refused: tuple[str, ...] = ()
    """Those of them that are not asked, for want of an interconnection or an agreement."""


class Hit(BaseModel):
    """A case that was found, and why, as any platform may be told of it."""

    model_config = ConfigDict(frozen=True)

    platform: str
    """Where it was found."""
    case_id: str
    disease_id: str
    disease_label: str
    score: float = Field(allow_inf_nan=False)
    """Orders the hits of one answer; higher is nearer."""
    similarity: float = Field(allow_inf_nan=False)
    """simGIC with the terms asked for, 0 to 1; 0 where no term was asked for."""
    matches: tuple[TermMatch, ...] = ()
    """What speaks for it, the most informative first."""
    against: tuple[str, ...] = ()
    """Ids of terms that one side has observed and the other has excluded."""
    facts: tuple[str, ...] = ()
    """What it was chosen by beside its terms."""


class CaseHit(Hit):
    """A case that was found on the own platform."""

    origin: str
    category: str
    rare_feature: float


class PeerSearch(BaseModel):
    """What a platform of another cluster asks one of this cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    receiver: str = Field(max_length=63)
    query: CaseQuery
    """Without ``like``: ids are the platform's own."""


class PeerHits(BaseModel):
    """The cases that who asked may know, best first; null where it may receive none from here."""

    model_config = ConfigDict(frozen=True)

    hits: tuple[Hit, ...] | None = Field(max_length=TOLD_MAX)


class DiseaseHit(BaseModel):
    """A disease that the found cases speak for."""

    model_config = ConfigDict(frozen=True)

    disease_id: str
    disease_label: str
    probability: float
    n_cases: int
    figures: dict[str, float]
    """What the probability was made from."""


class SearchAnswer(BaseModel):
    """Hits and diseases, best first."""

    model_config = ConfigDict(frozen=True)

    hits: list[CaseHit]
    diseases: list[DiseaseHit] = []
    """Only where terms were asked for."""
    none_of_these: float | None = None
    """Probability that the disease is not among those that have cases here."""
    remarks: tuple[str, ...] = ()
    """Terms that were replaced, are not known, or contradict each other."""


class PlatformAnswer(BaseModel):
    """How one platform answered; an outage is a state, never an empty list of hits."""

    model_config = ConfigDict(frozen=True)

    platform: str
    state: Literal["answered", "not_interconnected", "unreachable", "timed_out"]
    message: str = ""


class NetworkAnswer(BaseModel):
    """Hits of several platforms, best first, and how each of them answered."""

    model_config = ConfigDict(frozen=True)

    hits: list[Hit]
    """Own cases under their own ids, those of others under the names by which they are shared."""
    platforms: list[PlatformAnswer]
    diseases: list[DiseaseHit] = []
    """As the own platform's own cases have it; nothing is counted elsewhere."""
    none_of_these: float | None = None
    remarks: tuple[str, ...] = ()


def check(query: CaseQuery) -> None:
    """Refuse a query that cannot be asked.

    Raises:
        InputError: nothing to look for, too much of it, or two things at once.
    """
    n_terms = len(query.terms) + len(query.excluded)
    if n_terms > TERMS_MAX:
        what = f"{n_terms} terms were given"
        raise InputError(what, "terms", f"Give at most {TERMS_MAX}: those that matter most.")
    if not 1 <= query.k <= K_MAX:
        what = f"k is {query.k}"
        raise InputError(what, "k", f"Ask for 1 to {K_MAX} hits.")
    if len(query.text) > TEXT_MAX:
        what = f"the text has {len(query.text)} characters"
        raise InputError(what, "text", f"Give at most {TEXT_MAX}.")
    if query.text.strip() and (n_terms or query.like):
        what = "a text and terms were given"
        raise InputError(what, "query", "Give one of them.")
    chosen = any(value is not None for value in query.where.model_dump().values())
    if not (n_terms or query.text.strip() or query.like or chosen):
        what = "nothing to look for"
        raise InputError(what, "query", "Give terms, a text, a case, a disease or a gene.")


def check_for_others(query: CaseQuery) -> None:
    """Refuse what may not be asked of other platforms: it would find what they do not tell.

    Raises:
        InputError: words, a place, how rare a case is there, or something that is no public code.
    """
    check(query)
    where = query.where
    if query.text.strip():
        what = "words are searched on the own platform only"
        raise InputError(what, "text", "Give terms, or the code of a disease or a gene.")
    if where.origin is not None or where.state is not None:
        what = "over several platforms each answers from its own cases"
        raise InputError(what, "where", "Name platforms instead of an origin or a state.")
    if where.rare_min is not None or where.rare_max is not None:
        what = "how rare a case is on another platform is not told"
        raise InputError(what, "where", "Leave out rare_min and rare_max.")
    public = {
        "disease_id": where.disease_id is None or bool(code_of(where.disease_id)),
        "gene": where.gene is None or is_symbol(where.gene),
        "sex": where.sex is None or where.sex in SEXES,
    }
    for name, is_public in public.items():
        if not is_public:
            what = f"{name} is no public code"
            raise InputError(what, f"where.{name}", "Give a code that every platform knows.")
