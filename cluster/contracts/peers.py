"""What clusters tell each other: cards of platforms, deliveries, questions (S900-S1020)."""

from typing import Annotated, Final

from pydantic import Field, SecretStr

from cluster.contracts.message import Frozen
from cluster.contracts.related import DiseaseCases, DiseaseQuestion, RelatedItem, RelatedQuery
from cluster.contracts.sharing import Envelope, Receipt, Refusal

ENVELOPES_MAX: Final = 64
"""Of one call; the sender's courier claims no more at a time."""
QUESTIONS_MAX: Final = 50
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
URL: Final = r"^(https?://[^\s@?#]+)?$"


class PeerCard(Frozen):
    """What another cluster must know of a platform to exchange cases with it."""

    platform_id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    """As it is called on all clusters that it exchanges with."""
    url: str = Field(max_length=255, pattern=URL)
    """Of the share service of its cluster, with ``/share/v1``."""
    public_key: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Checks its receipts, Ed25519 in hexadecimal."""
    mix: dict[Annotated[str, Field(max_length=200)], Share] = Field({}, max_length=200)
    """Share of its cases in each category, by which cases choose where they go first."""


class Remote(Frozen):
    """A platform of another cluster, and the token that it has given for calling it."""

    card: PeerCard
    token: SecretStr = Field(min_length=1, max_length=255)


class PeerDeliveries(Frozen):
    """Deliveries from one platform, for one or several of this cluster."""

    envelopes: tuple[Envelope, ...] = Field(min_length=1, max_length=ENVELOPES_MAX)


class PeerAnswers(Frozen):
    """A receipt or a refusal for each delivery, in the order in which they came."""

    answers: tuple[Receipt | Refusal, ...]


class PeerQuestions(Frozen):
    """What a platform asks one of this cluster for its shared cases (S1010)."""

    receiver: str = Field(max_length=63)
    queries: tuple[RelatedQuery, ...] = Field(min_length=1, max_length=QUESTIONS_MAX)


class PeerDiseaseQuestion(Frozen):
    """What a platform asks one of this cluster for its rare cases of a disease with (C8)."""

    receiver: str = Field(max_length=63)
    question: DiseaseQuestion


class PeerDiseaseCases(Frozen):
    """The cases that who asked may know; null where it may receive none from here."""

    cases: DiseaseCases | None


class PeerItems(Frozen):
    """Related items by the pseudonym of the case that was asked for."""

    items: dict[str, tuple[RelatedItem, ...]]
