"""What a training of images says before it begins, and when it is over (C2, C9)."""

import pytest
from bundle_builders import a_bundle

from actors.trainers.image_models import binding_lines, pass_line, standing_lines, steps_line
from cluster.contracts.image_models import Epoch, ListedModel, State
from cluster.contracts.image_training import ImageFitConfig
from cluster.models.bundle import version_of
from cluster.models.image_list import entry_of


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


def test_the_figures_of_a_pass_say_of_how_many_images_they_are() -> None:
    epoch = Epoch(
        stage="head", training_loss=1, validation_loss=1, validation_accuracy=2 / 3, seconds=1
    )
    assert "right 4 of 6" in pass_line(1, 2, epoch, 6)


def test_each_class_says_which_disease_it_stands_for() -> None:
    """C8: nobody finds out from an answer on a device that a class was bound by its name."""
    bound = {"pneumonia": ("DOID:552", "pneumonia"), "basophil": ("", "")}
    told = binding_lines(bound, "demo.jsonl", is_demo=True)
    assert told[:2] == ["class pneumonia: DOID:552 pneumonia", "class basophil: not bound"]
    assert "DEMO table" in told[2]
    assert "mondo.jsonl" in binding_lines(bound, "mondo.jsonl", is_demo=False)[2]
    assert binding_lines({"basophil": ("", "")}, "", is_demo=True) == ["class basophil: not bound"]


def standing(state: State, *, serving: bool, reason: str = "") -> str:
    bundle, _ = a_bundle()
    entry: ListedModel = entry_of(bundle, version_of(bundle), "", {}, 1.0)
    changes = {"state": state, "serving": serving, "reason": reason, "number": 3}
    return "\n".join(standing_lines(entry.model_copy(update=changes)))


def test_a_model_that_waits_says_why_and_what_to_do() -> None:
    """C9: the words that publish it or refuse it can be copied."""
    told = standing("pending", serving=False, reason="it is at chance")
    assert "does not serve: it is at chance." in told
    for verb in ("accept_model", "refuse_model"):
        assert f"jobs.{verb} --name lungs --version 3 --by" in told
    assert "accept_model" not in standing("published", serving=True)
    assert "Another version serves" in standing("published", serving=False)
