"""Kinds, channels and keys of the registry; which model answers for which question."""

from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict

from cluster.contracts.trend import TrendCard
from cluster.ids import key_of

DATA_SET: Final = "trend_windows"
TREND_MODEL: Final = "trend_model"
TREND_UPDATE: Final = "trend_update"
FIRST: Final = "trend.first"
SECOND: Final = "trend.second"


class DataSetCard(BaseModel):
    """What is known of a set of training windows."""

    model_config = ConfigDict(frozen=True)

    n_windows: int
    as_of: float
    simulated: bool


def update_key(first: str, dataset: str) -> str:
    """Name the update of a first model by a set of windows."""
    return key_of(TREND_UPDATE, first, dataset)


def model_of(
    cards: Iterable[TrendCard], dataset: str, seed: int, parent: str | None
) -> TrendCard | None:
    """Find the model that was made from these windows, with this seed, out of this parent."""
    wanted = (dataset, seed, parent)
    found = [c for c in cards if (c.dataset_digest, c.seed, c.parent) == wanted]
    return found[-1] if found else None
