"""A search for a configuration of an image model: what is searched, and what was found (C2, B7).

All trials are judged by one measure: the cross entropy on the validation images, in nats, without
smoothed labels and without weights of classes, for these may be among what is searched.
"""

from pydantic import BaseModel, ConfigDict

from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.trend_search import Candidate, Parameter, Trial


class ImageSearchPlan(BaseModel):
    """What a search is asked to do; the same plan draws the same configurations."""

    model_config = ConfigDict(frozen=True)

    data_set: str
    """Name of the set of images."""
    data_set_digest: str
    """SHA-256 of its manifest."""
    n_training: int
    n_validation: int
    """Images of these parts; no others are looked at."""
    weights: str
    """Name of the starting weights, ``none`` for random numbers."""
    weights_sha256: str = ""
    base: ImageFitConfig
    """What is not searched, and the default of what is; its seed draws the configurations too."""
    space: tuple[Parameter, ...]
    candidates: tuple[Candidate, ...]
    """The configurations, the default first."""


class ImageTrial(Trial):
    """A configuration with what came of it."""

    validation_accuracy: float | None = None
    """Of the weights with the validation loss that is told."""


class ImageSearch(BaseModel):
    """A search; the trials, best first, are there when it has ended."""

    model_config = ConfigDict(frozen=True)

    plan: ImageSearchPlan
    trials: tuple[ImageTrial, ...] = ()
