"""How an image model is trained (C2, B7); read from a file or drawn by a search."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cluster.contracts.image_models import Backbone

Depth = Literal["head", "upper", "all"]
LITE_SIZE: Final = 224
AUX_SIDE_MIN: Final = 299
"""Smaller images leave the auxiliary head of InceptionV3 nothing to look at."""


class ImageFitConfig(BaseModel):
    """All that is chosen beside the images and the starting weights; the default is tested."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: Backbone = "inception_v3"
    image_size: int = Field(299, ge=75, le=1024)
    """Pixels of a side as the network sees it; 224 of efficientnet_lite0 where none is given."""
    depth: Depth = "all"
    """What is trained: the head on cached features only; then also the upper blocks, or all."""
    epochs_max: int = Field(10, ge=1, le=1_000)
    """Passes over the images, each seen changed a little; the learning rate ends at 0 there."""
    patience: int = Field(8, ge=1)
    """Passes without a better validation loss after which it ends."""
    batch_size: int = Field(16, ge=2, le=4096)
    """Of all workers together."""
    learning_rate: float = Field(3e-4, gt=0, le=1)
    """At its highest, after a quarter of the steps (one cycle, Smith 2018)."""
    weight_decay: float = Field(0.05, ge=0, le=1)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    augmentation: float = Field(0.5, ge=0, le=3)
    """Strength of changes of place, size, light and colour; 0 is none, mirrors aside."""
    class_weights: bool = True
    """Whether rare classes weigh more, by the inverse of their number."""
    seed: int = Field(1, ge=0, lt=1 << 32)

    @model_validator(mode="before")
    @classmethod
    def _native_size(cls, given: object) -> object:
        """Give the small backbone its own image size where none is named."""
        if isinstance(given, dict) and given.get("backbone") == "efficientnet_lite0":
            return {"image_size": LITE_SIZE, **given}
        return given

    @property
    def has_aux(self) -> bool:
        """Whether the auxiliary head of InceptionV3 is trained along."""
        return (
            self.backbone == "inception_v3"
            and self.image_size >= AUX_SIDE_MIN
            and self.depth != "head"
        )
