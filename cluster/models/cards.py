"""Kinds, channels and keys of the registry; which model answers for which question."""

from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict

from cluster.contracts.trend import TrendCard

DATA_SET: Final = "trend_windows"
TREND_MODEL: Final = "trend_model"
TREND_UPDATE: Final = "trend_update"
DISEASES: Final = "disease_database"
FIRST: Final = "trend.first"
SECOND: Final = "trend.second"
DISEASES_SERVING: Final = "diseases.serving"


class DataSetCard(BaseModel):
    """What is known of a set of training windows."""

    model_config = ConfigDict(frozen=True)

    n_windows: int
    as_of: float
    simulated: bool


def model_of(
    cards: Iterable[TrendCard], dataset: str, seed: int, parent: str | None, config: str
) -> TrendCard | None:
    """Find the model that was made from these windows, seed, parent and configuration."""
    wanted = (dataset, seed, parent, config)
    found = [c for c in cards if (c.dataset_digest, c.seed, c.parent, c.config) == wanted]
    return found[-1] if found else None
