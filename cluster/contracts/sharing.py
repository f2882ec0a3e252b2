"""Platforms, decisions, deliveries and related material, as they cross processes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from cluster.contracts.trend import Prediction


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


Kind = Literal["case", "related"]


class Envelope(Frozen):
    """What one platform sends another, once or many times, under one key."""

    delivery_id: str
    kind: Kind
    sender: str
    receiver: str
    case_id: str
    """The shared pseudonym of the case, never the sender's own id."""
    digest: str
    payload: str
    """JSON that has passed the redaction."""
    epoch: int
    """Grows with every claim, so that an owner who lost the delivery cannot settle it."""


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

    delivery_id: str
    code: str
    reason: str


class Settlement(Frozen):
    """How one attempt went, brought back to the sender."""

    delivery_id: str
    epoch: int
    receipt: Receipt | None = None
    refusal: Refusal | None = None
    """Neither: no answer, so the outcome is not known."""


class RelatedItem(Frozen):
    """A related case or publication, kept beside a shared case (S1010)."""

    item_id: str
    kind: Literal["case", "literature"]
    title: str
    platform: str = ""
    score: float
    why: str
    """The terms or facts that make it related."""
    audience: tuple[str, ...] = ()
    """Platforms that may see it besides its own: those its own has an agreement with."""


class RelatedQuery(Frozen):
    """What a shared case is asked for with."""

    case_id: str
    """The shared pseudonym."""
    terms: tuple[int, ...]
    """Numbers of the observed HPO terms."""


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
