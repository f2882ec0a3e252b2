"""C2 C3 C10: what is handed over after training is calibrated, measured and checked."""

import numpy as np
import pytest
from small_images import COLOURS, a_lesson
from small_network import ColourNetwork

from cluster.contracts.image_models import StartingWeights
from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.images import DataSetCard, ImageSetManifest, Split, StoredImage
from cluster.imaging.fit import ImageFitting
from cluster.imaging.graph import Graph
from cluster.imaging.lesson import Lesson
from cluster.imaging.publish import NOT_CALIBRATED, Origin, Published, _some, publish
from cluster.models.bundle import check_bundle
from cluster.models.decision import best_classes, outside

CONFIG = ImageFitConfig(image_size=75, epochs_max=2, batch_size=4, learning_rate=0.05)


def published(*splits: Split, said: list[str] | None = None) -> Published:
    lesson = a_lesson(30, splits=splits)
    fitting = ImageFitting(lesson, ColourNetwork(2), CONFIG)
    while not fitting.finished:
        fitting.run_epoch()
    origin = Origin(
        name="colours",
        made_at=1.8e9,
        made_by="test",
        weights=StartingWeights(name="none", origin="random numbers"),
        data_set="colours",
        data_set_digest="d" * 64,
        data_card=DataSetCard(accepted=True, split_by="person"),
        bound={"amber": ("", ""), "blue": ("MONDO:0000001", "a disease")},
        licence="CC0-1.0",
        attribution="drawn",
        changelog="first",
    )
    return publish(fitting, origin, [].append if said is None else said.append)


@pytest.fixture(scope="module")
def made() -> Published:
    return published("training", "validation", "test")


def test_a_bundle_passes_the_checks_of_the_list(made: Published) -> None:
    """C3 C4: what training hands over is what the registry takes."""
    assert check_bundle(made.bundle, made.files) == []
    assert made.bundle.labels[1].disease_id == "MONDO:0000001"


def test_a_temperature_at_its_bound_is_no_figure(made: Published) -> None:
    """C10: where no validation image is wrong, how sure the network should be is not known."""
    card = made.bundle.card
    assert card.temperature is None and NOT_CALIBRATED in card.limits


def test_the_figures_are_of_the_test_part(made: Published) -> None:
    """C2: the card's figures are of the test images, by the file that is delivered."""
    lesson = a_lesson(30, splits=("training", "validation", "test"))
    rows = lesson.rows_of("test")
    reference, metrics = made.bundle.variant("fp32"), made.bundle.card.metrics
    assert reference is not None
    assert metrics is not None
    assert reference.outside_above is not None
    said = Graph(made.files["model-fp32.onnx"]).answers(lesson.pixels(rows))
    assert said.distance_N is not None
    weights = [one.weight for one in made.bundle.labels]
    hits = (best_classes(said.p_NK, weights) == lesson.truth_N[rows]).sum()
    kept = (~outside(said.distance_N, reference.outside_above)).sum()
    assert made.scored_on == "test"
    assert (metrics.accuracy.hits, metrics.images) == (hits, len(rows))
    assert metrics.kept.hits == kept


def test_another_kind_of_image_is_outside(made: Published) -> None:
    """C10: a picture of coarse stripes is farther than the threshold, which own ones keep."""
    reference = made.bundle.variant("fp32")
    assert reference is not None
    assert reference.outside_above is not None
    stripes = np.zeros((1, 75, 75, 3), np.uint8)
    stripes[:, ::8] = 255
    said = Graph(made.files["model-fp32.onnx"]).answers(stripes)
    assert said.distance_N is not None
    assert outside(said.distance_N, reference.outside_above).all()
    assert np.mean(np.asarray(made.distances) > reference.outside_above) <= 0.05


def test_a_report_has_an_image_of_each_class_with_its_heat(made: Published) -> None:
    """C2: saliency is shown for each class; mistakes are wrong, the surest first."""
    assert {one.truth for one in made.saliency} == set(range(len(COLOURS)))
    assert all(one.heat.startswith(b"\x89PNG") for one in made.saliency)
    assert all(one.truth != one.decided for one in made.mistakes)
    sure = [one.probability for one in made.mistakes]
    assert sure == sorted(sure, reverse=True)
    assert sum(one.n for one in made.reliability) == made.bundle.card.metrics.images  # type: ignore[union-attr]  # checked above


def test_without_a_test_part_the_card_says_that_figures_flatter() -> None:
    """C2: where nothing was kept apart, the card says of which images its figures are."""
    said: list[str] = []
    card = published("training", "validation", said=said).bundle.card
    assert card.metrics is not None
    assert card.metrics.part == "validation"
    assert any("flatter" in one for one in card.limits)
    steps = ("calibration", "compilation", "check of the fp32", "quantisation", "check", "figures")
    assert [one.startswith(step) for one, step in zip(said, steps, strict=True)] == [True] * 6


@pytest.mark.parametrize("most", [1, 30, 100])
def test_a_chosen_part_of_the_images_has_every_class(most: int) -> None:
    """C10: a rare class keeps its least, so that its mean is one; without repeats, in order."""
    counts = {"common": 400, "rare": 7, "rarest": 5}
    images = tuple(
        StoredImage(
            digest=f"{label}{n}", label=label, split=split, group=n, width=75, height=75,
            media_type="image/png", size=1,
        )
        for label, count in counts.items() for split in ("training", "validation")
        for n in range(count)
    )  # fmt: skip
    manifest = ImageSetManifest(encoding="png", labels=tuple(counts), images=images)
    lesson = Lesson(manifest, lambda _: b"", 75)
    rows = _some(lesson, most)
    count_K = np.bincount(lesson.truth_N[rows], minlength=3)
    assert (count_K >= 5).all() and len(rows) <= most + 15
    assert (np.diff(rows) > 0).all() and set(rows) <= set(lesson.rows_of("training"))
    assert np.array_equal(_some(lesson, 412), lesson.rows_of("training"))
