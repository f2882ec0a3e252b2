"""What is searched for, and what comes back with its reasons (S400)."""

from pydantic import BaseModel, ConfigDict

from cluster.errors import InputError
from cluster.retrieval.index import EVERY_CASE, CaseFilter
from cluster.retrieval.ranking import TermMatch
from cluster.retrieval.search import CANDIDATES

TERMS_MAX = 500
TEXT_MAX = 4096
K_MAX = CANDIDATES // 2


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


class CaseHit(BaseModel):
    """A case that was found, and why."""

    model_config = ConfigDict(frozen=True)

    platform: str
    """Where it was found."""
    case_id: str
    origin: str
    disease_id: str
    disease_label: str
    category: str
    rare_feature: float
    score: float
    """Orders the hits of one answer; higher is nearer."""
    similarity: float
    """simGIC with the terms asked for, 0 to 1; 0 where no term was asked for."""
    matches: tuple[TermMatch, ...] = ()
    """What speaks for it, the most informative first."""
    against: tuple[str, ...] = ()
    """Ids of terms that one side has observed and the other has excluded."""
    facts: tuple[str, ...] = ()
    """What it was chosen by beside its terms."""


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
