"""What a search for a way to train an image model tries."""

import json
from pathlib import Path

import numpy as np
import pytest

from cluster.contracts.image_models import Epoch
from cluster.contracts.image_search import ImageSearch, ImageSearchPlan, ImageTrial
from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.images import DataSetCard, ImageSetManifest, StoredImage, StoredImageSet
from cluster.errors import Conflict, SettingInvalid
from cluster.imaging.search import (
    SPACE,
    best_pass,
    config_from,
    config_of,
    plan_search,
    values_of,
)
from cluster.storage.searches import keep_search, open_search, read_search

SPLITS = ("training", "training", "training", "validation", "validation", "test")


def an_image(n: int, split: str) -> StoredImage:
    fields = {"digest": f"{n:064x}", "label": "a", "split": split, "group": n, "size": 9}
    return StoredImage.model_validate(
        fields | {"width": 64, "height": 64, "media_type": "image/png"}
    )


STORED = StoredImageSet(
    name="cells", digest="d" * 64, stored_at=0.0, card=DataSetCard(accepted=True)
)
MANIFEST = ImageSetManifest(
    encoding="", labels=("a",), images=tuple(an_image(n, one) for n, one in enumerate(SPLITS))
)
BASE = ImageFitConfig(image_size=96, epochs_max=5, seed=3)


def a_plan(n: int = 4, base: ImageFitConfig = BASE, weights: str = "w") -> ImageSearchPlan:
    return plan_search(STORED, MANIFEST, (weights, weights), base, n)


def test_the_default_is_first_and_inside_the_space() -> None:
    """B7: a search never ends worse than the default, for the default is one of its trials."""
    plan = a_plan(1)
    assert (plan.n_training, plan.n_validation) == (3, 2)
    (first,) = plan.candidates
    assert config_of(first.values, BASE) == BASE
    for parameter in SPACE:
        value = first.values[parameter.name]
        assert value in parameter.choices or parameter.low <= value <= parameter.high
        assert parameter.meaning


def test_the_same_seed_draws_the_same_and_more_trials_begin_with_them() -> None:
    """B7: a search can be repeated; its trials are named by their number."""
    assert a_plan(6).candidates[:3] == a_plan(3).candidates
    other = a_plan(3, BASE.model_copy(update={"seed": 4})).candidates
    assert other[0] == a_plan(3).candidates[0]
    assert other[1].values != a_plan(3).candidates[1].values
    assert [one.id for one in other] == ["trial-00", "trial-01", "trial-02"]


def test_every_draw_is_a_configuration_within_the_bounds() -> None:
    """B7: what is drawn arrives as it is, and the whole space is reached; the rest stays fixed."""
    drawn = a_plan(200).candidates
    for one in drawn:
        made = config_of(one.values, BASE)
        assert values_of(made) == one.values
        assert (made.image_size, made.epochs_max, made.seed) == (96, 5, 3)
    for parameter in SPACE:
        values = [one.values[parameter.name] for one in drawn]
        if parameter.choices:
            assert set(values) == set(parameter.choices)
            continue
        figures, ends = np.array(values, float), np.array([parameter.low, parameter.high])
        if parameter.scale == "log":
            figures, ends = np.log(figures), np.log(ends)
        assert ends[0] <= figures.min() < ends[0] + 0.1 * np.ptp(ends)
        assert ends[1] >= figures.max() > ends[1] - 0.1 * np.ptp(ends)


def test_a_configuration_is_read_and_options_count_before_it() -> None:
    """B7: a file names what it changes; an option that is not given changes nothing."""
    made = config_from('{"image_size": 96, "depth": "upper"}', {"image_size": 75, "seed": None})
    assert made == ImageFitConfig(image_size=75, depth="upper")
    assert config_from(made.model_dump_json(), {}) == made
    small = config_from("{}", {"backbone": "efficientnet_lite0"})
    assert small.image_size < ImageFitConfig().image_size  # its own, where none is named


def test_the_page_for_scientists_names_the_defaults() -> None:
    """B7 Docs: every field with its value, as it may be copied into a file."""
    page = (Path(__file__).parents[3] / "docs" / "scientists.md").read_text(encoding="utf-8")
    told = page[page.index('{"backbone"') :].partition("}")[0] + "}"
    assert json.loads(told) == ImageFitConfig().model_dump()


@pytest.mark.parametrize("text", ['{"rate": 1}', '{"image_size": 7}', '{"depth": 1}', "[]", "{"])
def test_a_configuration_that_cannot_be_is_refused(text: str) -> None:
    """B7: unknown names and values out of bounds are named, not guessed at."""
    with pytest.raises(SettingInvalid, match="config") as refused:
        config_from(text, {})
    assert "learning_rate" in refused.value.remedy


def test_a_trial_is_judged_by_its_best_pass() -> None:
    """B7: as that pass is what would be published."""
    curve = [
        Epoch(
            stage="fine-tuning",
            training_loss=1.0,
            validation_loss=loss,
            validation_accuracy=share,
            seconds=1.0,
        )
        for loss, share in ((0.9, 0.1), (0.4, 0.7), (0.5, 0.9))
    ]
    assert best_pass(curve).validation_accuracy == 0.7


def test_a_search_is_kept_and_gone_on_with_only_as_it_was_begun(tmp_path: Path) -> None:
    """B7: other images, weights, epochs or sizes in one folder are refused by name; the place of
    the weights may change.
    """
    begun = ImageSearch(plan=a_plan())
    assert open_search(tmp_path, begun) == begun
    trial = ImageTrial(
        **begun.plan.candidates[0].model_dump(), state="finished", validation_accuracy=0.5
    )
    ended = begun.model_copy(update={"trials": (trial,)})
    keep_search(tmp_path, ended)
    assert read_search(tmp_path, ImageSearch) == ended
    moved = begun.plan.model_copy(update={"weights": "elsewhere", "data_set": "renamed"})
    assert open_search(tmp_path, ImageSearch(plan=moved)) == ended
    for plan, said in (
        (a_plan(weights="x"), "other starting weights"),
        (a_plan(base=BASE.model_copy(update={"epochs_max": 6})), "epochs at the most: 5, not 6"),
        (a_plan(base=BASE.model_copy(update={"image_size": 75})), "other image_size: 96, not 75"),
        (begun.plan.model_copy(update={"data_set_digest": "e"}), "other images"),
    ):
        with pytest.raises(Conflict, match=said):
            open_search(tmp_path, ImageSearch(plan=plan))
