"""Images, models and results as callers of the diagnosis application send and get them."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from cluster.contracts.disease import DiseaseAnswer
from cluster.contracts.image_models import NAME_PATTERN, NOT_A_DIAGNOSIS, Recognition
from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.images import DataSetCard
from cluster.contracts.message import Frozen


class Result(Recognition):
    """R as a device sends it; nothing else is taken, and no image is."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ResultAnswer(Frozen):
    """What is known of a result: Y for its disease, or why there is none."""

    model: str
    version: str
    number: int
    """1 for the first version of the name."""
    accuracy: float | None
    """Of the version, on images kept apart from training; null where that was not measured."""
    label: str
    probability: float
    meaning: str
    """What the result says, in a sentence."""
    disease: DiseaseAnswer | None
    notice: str = NOT_A_DIAGNOSIS


class ImageSetVersion(Frozen):
    """One version of a stored set of images."""

    name: str
    digest: str
    stored_at: float
    """Seconds since 1970 UTC."""
    classes: dict[str, int]
    """Images of each class."""
    persons: int
    """People whom a table in the set named."""


class ImageSetTaken(Frozen):
    """A set that was taken, and all that the check has to say about it."""

    stored: ImageSetVersion
    report: DataSetCard


class Acceptance(Frozen):
    """What an operator decides about a version of a model."""

    version: str = Field(max_length=64)
    """Its number, or the first 8 or more characters of its digest."""
    decision: Literal["accept", "refuse", "retire"]
    reason: str = Field("", max_length=500)
    """Shown in the list; needed but for accepting."""

    @model_validator(mode="after")
    def _has_a_reason(self) -> Self:
        if self.decision != "accept" and not self.reason.strip():
            message = "who refuses or retires a version says why"
            raise ValueError(message)
        return self


class TrainingOrder(Frozen):
    """What is asked of a training run."""

    data_set: str = Field(pattern=NAME_PATTERN)
    """Name of a stored set of images; its newest version is learned from."""
    name: str = Field(pattern=NAME_PATTERN)
    """Of the model."""
    weights: Literal["", "torchvision", "package", "none"] = ""
    """Where it starts from; left out, what is usual of the backbone."""
    config: ImageFitConfig = ImageFitConfig()
    diseases: dict[str, str] = Field({}, max_length=1000)
    """Code of the disease of a class, empty for none; the others are looked up by name."""
    licence: str = Field("", max_length=200)
    """Of the model; left out, what the texts of the set name."""


class TrainingRun(Frozen):
    """A training run and how far it is; the model itself is in the list once it succeeded."""

    run: str
    name: str
    """Of the model."""
    data_set: str
    by: str
    """The token that asked for it."""
    state: Literal["pending", "running", "stopped", "succeeded", "failed"]
    message: str
    """Its last line where it failed."""
    begun_at: float | None
    ended_at: float | None
    """Seconds since 1970 UTC; null where that is not yet so."""
