"""What a training of images says before it begins (C2)."""

import pytest

from actors.trainers.image_models import steps_line
from cluster.contracts.image_training import ImageFitConfig


@pytest.mark.parametrize(
    ("images", "depth", "is_few"), [(60, "all", True), (960, "all", False), (60, "head", False)]
)
def test_too_few_steps_are_told_before_they_are_taken(
    images: int, depth: str, is_few: bool
) -> None:
    config = ImageFitConfig.model_validate({"depth": depth})
    told = steps_line(images, config)
    assert f"{images // config.batch_size} steps a pass" in told
    assert ("more passes" in told) is is_few
