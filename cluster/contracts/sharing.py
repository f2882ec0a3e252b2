"""Platforms, decisions and deliveries, as they cross processes."""

from typing import Literal

from pydantic import Field

from cluster.contracts.message import Frozen
from cluster.contracts.trend import Prediction


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
    mix: dict[str, float] = Field({})
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
    mix: dict[str, float] = Field({})


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
    by_platform: dict[str, int] = Field({})
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

    @property
    def only_takes_back(self) -> bool:
        """Whether it tells nothing new: a recall, or that less stands beside a case than before."""
        return self.kind == "recall" or (self.kind == "related" and self.payload == "[]")


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
