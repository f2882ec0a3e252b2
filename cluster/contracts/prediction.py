"""Prediction indexes as callers ask and get them over HTTP (A7, A13)."""

from typing import Annotated, Final, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from cluster.contracts.message import Frozen
from cluster.contracts.trend import N_OBS, TrendCard

ITEMS_MAX: Final = 1000
"""Items of one call."""
INSTANT_MAX: Final = 1e11
"""Seconds from the epoch; what is beyond is in another unit."""

Instant = Annotated[float, Field(ge=-INSTANT_MAX, le=INSTANT_MAX)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Bins = Annotated[
    list[Count],
    Field(
        min_length=N_OBS,
        max_length=N_OBS,
        fail_fast=True,
        description="a count for each eighth of the period, oldest first",
    ),
]
ModelAsked = Annotated[
    str,
    Field(
        pattern=r"^(first|second|[0-9a-f]{64})$",
        description="the model that serves as first or second, or a version",
    ),
]
Explain = Annotated[bool, Field(description="whether to say which inputs moved each index")]


class CountedItem(TypedDict):
    """An item with the accesses of its period; a plain dictionary, as a batch holds a thousand."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # pydantic's own way

    id: Annotated[
        str, Field(min_length=1, max_length=255, description="the caller's own; may be repeated")
    ]
    clicks: Bins
    usages: Bins
    elsewhere: NotRequired[
        Annotated[
            Bins | None,
            Field(description="of both, those on other platforms; left out where not known"),
        ]
    ]
    first_access: Annotated[
        Instant | None,
        Field(description="of the item's whole history, seconds since the epoch; null: none yet"),
    ]
    propagation: NotRequired[
        Annotated[
            Annotated[float, Field(ge=0, le=1)] | None,
            Field(description="propagation index at the end of the period; left out: not known"),
        ]
    ]


class CountsAsked(Frozen):
    """Items of one period, by their counts."""

    model: ModelAsked = "first"
    period_end: Instant
    """Seconds since the epoch, UTC."""
    period_days: float = Field(gt=0, le=3650)
    """Length of the period, which ends at that instant; a platform's follows its visits."""
    explain: Explain = False
    items: list[CountedItem] = Field(min_length=1, max_length=ITEMS_MAX)


class CasesAsked(Frozen):
    """Rare cases of a platform, by id."""

    model: ModelAsked = "first"
    period_end: Instant | None = None
    """Seconds since the epoch, UTC; now where it is left out."""
    explain: Explain = False
    case_ids: list[Annotated[str, Field(min_length=1, max_length=255)]] = Field(
        min_length=1, max_length=ITEMS_MAX
    )


NoIndex = Literal["period_not_covered", "no_window"]


class ItemIndex(Frozen):
    """The answer to one item."""

    id: str
    index: float | None
    """Calibrated probability that the item will be hot over the horizon, 0 to 1."""
    surge: float | None
    """Calibrated probability that its accesses will surge, 0 to 1."""
    log_growth: float | None
    """Predicted log2(1 + accesses over the horizon)."""
    inputs_digest: str | None
    """SHA-256 of what went in."""
    reason: NoIndex | None = None
    """Why there is no index: the model learned from no such period, or the case is none of the
    platform's rare ones."""
    moved: dict[str, float] | None = None
    """By group of inputs, how much lower the index were if these were as in the average window
    that the model learned from; only where it is asked. The parts do not add up to the index."""


class IndexesTold(Frozen):
    """The answers, in the order of the items."""

    model_version: str
    """Of every index here."""
    role: Literal["first", "second"]
    items: tuple[ItemIndex, ...]


class ServingModel(Frozen):
    """A model that answers where no version is asked."""

    name: Literal["trend-first", "trend-second"]
    version: str
    ready: bool
    """Whether it is loaded and answers."""


class TrendModels(Frozen):
    """The trend models."""

    serving: tuple[ServingModel, ...]
    models: tuple[TrendCard, ...]
    """All versions, oldest first, with their lineage and figures; each may be asked."""


class ServerReady(Frozen):
    """``$ready_server_response`` of the Open Inference Protocol."""

    ready: bool


class ModelReady(Frozen):
    """``$ready_model_response`` of the Open Inference Protocol."""

    name: str
    ready: bool


class Tensor(Frozen):
    """``$metadata_tensor`` of the Open Inference Protocol; -1 is the number of items."""

    name: str
    datatype: Literal["INT64", "FP64"]
    shape: tuple[int, ...]


class ModelMetadata(Frozen):
    """``$metadata_model_response`` of the Open Inference Protocol."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
