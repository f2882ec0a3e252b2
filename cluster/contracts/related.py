"""Related cases and publications, and what is asked for them; a device reads these too."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field

from cluster.contracts.ingest import Finding
from cluster.contracts.message import Frozen

PMID: Final = re.compile(r"PMID:[0-9]{1,9}")
PUBMED_PAGES: Final = "https://pubmed.ncbi.nlm.nih.gov"
CODES_MAX: Final = 256
"""Codes of one question about a disease."""
CODE_CHARS_MAX: Final = 128
WHY_SAME_DISEASE: Final = "same disease {}"
"""Why a case answers the question for a code."""


class RelatedItem(Frozen):
    """A related case or publication, kept beside a shared case (S1010)."""

    item_id: str
    kind: Literal["case", "literature"]
    title: str
    platform: str = ""
    """Platform whose case it is, or whose case it reports; empty for what is public."""
    score: float = Field(allow_inf_nan=False)
    """Likeness, 0 to 1; of a publication of the same disease 2 more, of the same gene 1 more."""
    why: str
    """The terms or facts that make it related."""
    audience: tuple[str, ...] = ()
    """Platforms that may see it besides its own: those its own has an agreement with."""
    source: str = "network"
    """Who named it: the network's own cases, a file, PubMed, or several of them."""

    @property
    def link(self) -> str:
        """Address of a publication's page in PubMed; empty for everything else."""
        is_there = self.kind == "literature" and PMID.fullmatch(self.item_id)
        return f"{PUBMED_PAGES}/{self.item_id.removeprefix('PMID:')}/" if is_there else ""


class RelatedQuery(Frozen):
    """What a shared case is asked for with, of platforms that may have the case itself."""

    case_id: str = Field(max_length=255)
    """The shared pseudonym."""
    terms: tuple[int, ...] = Field(max_length=1000)
    """Numbers of the observed HPO terms."""
    disease_id: str = Field("", max_length=255)
    genes: tuple[Annotated[str, Field(max_length=255)], ...] = Field((), max_length=1000)


class DiseaseQuestion(Frozen):
    """What platforms are asked for their rare cases of one disease with (C8)."""

    disease_id: str = Field(max_length=CODE_CHARS_MAX)
    name: str = Field(max_length=1000)
    """As the disease database has it, never a word of a case; empty where it has no such record."""
    codes: tuple[Annotated[str, Field(max_length=CODE_CHARS_MAX)], ...] = Field(
        max_length=CODES_MAX
    )
    """In their one form, ``ORPHA:558``; a case of the disease has one of them."""
    limit: int = Field(20, ge=1, le=1000)
    """Cases that one platform names."""


class DiseaseCases(Frozen):
    """A platform's rare cases of a disease, under names made for who asked (C8)."""

    items: tuple[RelatedItem, ...]
    """The one that changed last first, up to the limit."""
    rare: int = Field(ge=0)
    """All that may be shared and that the platform's screening calls rare."""
    others: int = Field(ge=0)
    """Further ones that may be shared and that its screening does not call rare."""

    def counts(self, shown_max: int) -> str:
        """Say how many there are, where so many at the most are shown."""
        text = f"{self.rare or 'no'} rare case" if self.rare < 2 else f"{self.rare:,} rare cases"
        shown = min(len(self.items), shown_max)
        if shown < self.rare:
            text += f", of which the {shown} that changed last are shown"
        others = f"; {self.others:,} more that are not rare there, or not screened yet"
        return text + (others if self.others else "")


class NetworkCases(Frozen):
    """The rare cases of a disease that one platform may see, by platform (C8)."""

    question: DiseaseQuestion
    found: dict[str, DiseaseCases]
    """Who asked first, then by name."""
    unanswered: dict[str, str]
    """Why a platform that was asked is not among them: that says nothing of its cases."""


class LiteratureQuery(Frozen):
    """What publications are asked for with: never a phenotype, an id or words of the case."""

    case_id: str
    """The shared pseudonym, by which the answer is filed; it goes to no source outside."""
    disease_id: str
    disease_name: str = ""
    """The name that is published under the id, not the one that stands in the case."""
    genes: tuple[str, ...]
    """Symbols."""


class Publication(Frozen):
    """A publication as a source knows it."""

    pmid: str
    """``PMID:`` and a number."""
    title: str
    diseases: tuple[str, ...] = ()
    """Ids, such as ``OMIM:162200``."""
    genes: tuple[str, ...] = ()


class LiteratureAnswer(Frozen):
    """What a source answered; a case that is not in it was not answered, and is asked again."""

    found: dict[str, tuple[RelatedItem, ...]] = Field({})
    """Publications by the case's pseudonym, best first."""
    unasked: tuple[str, ...] = ()
    """Cases with nothing to ask of this source: found nothing, and counted as no question."""
    reason: str = ""
    """Why a case was not answered."""
    findings: tuple[Finding, ...] = ()
    """Places of the source that could not be used."""


class RelatedQuestions(Frozen):
    """What is to be asked for the shared cases of a platform whose second period is over."""

    network: dict[str, tuple[RelatedQuery, ...]] = Field({})
    """By the platform that is asked."""
    literature: dict[str, tuple[LiteratureQuery, ...]] = Field({})
    """By the source."""


class RelatedAnswers(Frozen):
    """What came back; who did not answer for a case is not in it, and is asked again."""

    network: dict[str, dict[str, tuple[RelatedItem, ...]]] = Field({})
    """By the platform that answered, and the case's pseudonym."""
    literature: dict[str, dict[str, tuple[RelatedItem, ...]]] = Field({})
    """By the source that answered, and the case's pseudonym."""
    sources: tuple[str, ...] = ()
    """Sources of literature that are in use; what another one said before no longer counts."""


class SourceState(Frozen):
    """How one source of related material did in a refresh."""

    source: str
    state: Literal["ok", "unavailable", "not configured"]
    reason: str = ""
    asked: int = 0
    """Questions, one a case (and platform, for the network)."""
    answered: int = 0
    found: int = 0
    """Items in the answers, before the best are chosen."""
    findings: tuple[Finding, ...] = ()


class RefreshReport(Frozen):
    """What a refresh did (S1020, S1030)."""

    pushed: dict[str, int]
    """New or changed items, by the platform of the cases."""
    sources: tuple[SourceState, ...]

    @property
    def n_pushed(self) -> int:
        """All new or changed items."""
        return sum(self.pushed.values())

    @property
    def unavailable(self) -> list[SourceState]:
        """The sources that left a question without an answer."""
        return [state for state in self.sources if state.state == "unavailable"]
