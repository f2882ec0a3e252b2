"""Platforms, decisions, deliveries and related material, as they cross processes."""

import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.contracts.ingest import Finding
from cluster.contracts.trend import Prediction

PMID: Final = re.compile(r"PMID:[0-9]{1,9}")
PUBMED_PAGES: Final = "https://pubmed.ncbi.nlm.nih.gov"
CODES_MAX: Final = 256
"""Codes of one question about a disease."""
CODE_CHARS_MAX: Final = 128


class Frozen(BaseModel):
    """A message that nobody changes on its way."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PlatformProfile(Frozen):
    """What a platform says of itself (S100)."""

    platform_id: str
    region: str = ""
    kind: str = "hospital"
    specialities: tuple[str, ...] = ()
    data_categories: tuple[str, ...] = ("phenopacket",)
    standards: tuple[str, ...] = ("GA4GH Phenopackets 2.0",)
    consent_tiers: tuple[str, ...] = ("share",)
    person_years_at_risk: float
    at_risk_origin: Literal["stated", "assumed default"] = "assumed default"
    contact: str = ""
    """Whom other servers are told to write to; empty for the cluster's own page."""
    test: bool = False
    """Its cases are test data: only a question that says that it is a test is answered from them,
    and nothing else of the Matchmaker Exchange or the Beacon."""
    research_areas: tuple[str, ...] = ()
    """What it does research on."""
    formats: tuple[str, ...] = ("application/json",)
    """Media types of what may be sent to it."""
    languages: tuple[str, ...] = ()
    """In which it may be written to, such as ``en``."""
    response_days: float | None = None
    """Within which it answers who writes to it."""


class PlatformTag(Frozen):
    """The platform feature tag: facets to manage platforms by, and a vector (S200)."""

    version: int
    profile: PlatformProfile
    mix: dict[str, float] = {}
    """Share of the platform's cases in each category; the vector of the tag."""


class Peer(Frozen):
    """A platform as another one sees it."""

    peer_id: str
    linked: bool
    agreed: bool
    """A valid agreement lets cases go there."""
    public_key: str
    """Checks the peer's receipts, Ed25519 in hexadecimal."""
    policy_epoch: int
    mix: dict[str, float] = {}


class DecisionRecord(Frozen):
    """One decision with everything it was made from (S800-S840)."""

    decision_id: str
    case_id: str
    rev: int
    platform: str
    period_end: float
    period_days: float
    visits_per_day: float
    clicks: int
    usages: int
    propagation_index: float
    index_min: float
    index_max: float
    first: Prediction
    second: Prediction | None
    """None where the first index decided, or no second model has been accepted."""
    outcome: Literal["upload", "hold"]
    decided_by: Literal["first", "second", "none"]
    reason: str
    targets: tuple[str, ...]
    """Related platforms, most similar to the case first."""
    user_events_max: int = 0
    """Events of one user and kind that counted; 0: all, as earlier releases counted."""
    by_platform: dict[str, int] = {}
    """Counted accesses by the platform where they happened; empty in earlier releases."""
    platform_share_max: float = 1.0
    """Share of them that one platform may make."""
    approved: bool = False
    """An operator had approved the upload of this revision."""


class ReplayedDecision(Frozen):
    """What came out when a stored decision was made again from its stored inputs (A10)."""

    decision_id: str
    case_id: str
    predictions: tuple[Prediction, ...]
    """The indexes that it names, to be compared with those that were kept when they were made."""
    late: int
    """Accesses of its period that came after it; they do not change it."""
    differs: tuple[str, ...] = ()
    """What differs, in words; empty where the decision stands."""


Kind = Literal["case", "related", "recall"]
"""A case, what stands beside it, or the sender's word that both are to be erased."""


class Envelope(Frozen):
    """What one platform sends another, once or many times, under one key."""

    delivery_id: str = Field(max_length=64)
    kind: Kind
    sender: str = Field(max_length=63)
    receiver: str = Field(max_length=63)
    case_id: str = Field(max_length=255)
    """The shared pseudonym of the case, never the sender's own id."""
    digest: str = Field(max_length=64)
    payload: str
    """JSON that has passed the redaction."""
    epoch: int = Field(ge=0, lt=1 << 31)
    """Grows with every claim, so that an owner who lost the delivery cannot settle it."""
    standing: tuple[str, ...] | None = None
    """Ids of the related items that the receiver is to keep, of which some may be in the payload;
    None keeps all."""
    round: int = Field(0, ge=0, lt=1 << 31)
    """Withdrawals of the case before this was queued. A recall takes back all of earlier rounds."""


class Receipt(Frozen):
    """The receiver's word that it holds what was sent."""

    delivery_id: str
    receiver: str
    digest: str
    received_at: float
    signature: str = ""
    """Ed25519 over the other fields, in hexadecimal."""


class Refusal(Frozen):
    """The receiver's word that it will not take a delivery."""

    delivery_id: str = Field(max_length=64)
    code: str = Field(max_length=64, pattern="^[a-z0-9_]+$")
    reason: str = Field(max_length=500)


class Settlement(Frozen):
    """How one attempt went, brought back to the sender."""

    delivery_id: str
    epoch: int
    receipt: Receipt | None = None
    refusal: Refusal | None = None
    """Neither: no answer, so the outcome is not known."""
    reason: str = ""
    """Code of why there is none."""


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

    disease_id: str
    name: str
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
    rare: int
    """All that may be shared and that the platform's screening calls rare."""
    others: int
    """Further ones that may be shared and that its screening does not call rare."""


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

    found: dict[str, tuple[RelatedItem, ...]] = {}
    """Publications by the case's pseudonym, best first."""
    unasked: tuple[str, ...] = ()
    """Cases with nothing to ask of this source: found nothing, and counted as no question."""
    reason: str = ""
    """Why a case was not answered."""
    findings: tuple[Finding, ...] = ()
    """Places of the source that could not be used."""


class RelatedQuestions(Frozen):
    """What is to be asked for the shared cases of a platform whose second period is over."""

    network: dict[str, tuple[RelatedQuery, ...]] = {}
    """By the platform that is asked."""
    literature: dict[str, tuple[LiteratureQuery, ...]] = {}
    """By the source."""


class RelatedAnswers(Frozen):
    """What came back; who did not answer for a case is not in it, and is asked again."""

    network: dict[str, dict[str, tuple[RelatedItem, ...]]] = {}
    """By the platform that answered, and the case's pseudonym."""
    literature: dict[str, dict[str, tuple[RelatedItem, ...]]] = {}
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


class DeliveryStatus(Frozen):
    """One row of the outbox as people see it."""

    delivery_id: str
    kind: Kind
    case_id: str
    peer: str
    state: str
    attempts: int
    reason: str
    receipt: Receipt | None
    round: int = 0
    """Withdrawals of the case before it."""
