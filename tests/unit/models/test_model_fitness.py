"""Which trained model may serve at once, and which waits for somebody to look at it (C9)."""

import math
from typing import Any

import pytest
from bundle_builders import a_bundle, some_metrics

from cluster.contracts.image_models import Bundle, Epoch, ImageMetrics
from cluster.models.fitness import NOT_EXAMINED, reasons_to_wait

LABELS = ("normal", "pneumonia")


def passed(loss: float) -> Epoch:
    return Epoch(
        stage="fine-tuning", training_loss=0.5, validation_loss=loss, validation_accuracy=0.5,
        seconds=1.0,
    )  # fmt: skip


def trained(right: int, of: int = 20, *losses: float, **card: Any) -> Bundle:
    """A model that recognises so many of each class."""
    metrics = some_metrics(LABELS, of, right)
    card = {"metrics": metrics, "epochs": tuple(map(passed, losses))} | card
    return a_bundle(**card)[0]


def test_a_model_that_recognises_something_may_serve() -> None:
    assert reasons_to_wait(trained(18, 20, 0.9, 0.3, 0.4), None) == ()


@pytest.mark.parametrize(("right", "of"), [(10, 20), (12, 20), (2, 3), (0, 20)])
def test_a_model_near_chance_waits(right: int, of: int) -> None:
    """The lower end counts: 4 of 6 may be chance."""
    (reason,) = reasons_to_wait(trained(right, of, 0.3), None)
    assert f"{2 * right} of {2 * of}, " in reason and "50 % of their commonest class" in reason


def test_chance_is_the_share_of_the_commonest_class() -> None:
    """Where 95 of 100 images are of one class, 95 of 100 is what always naming it gives."""
    metrics = some_metrics(LABELS, 50, 45)
    uneven = metrics.model_copy(update={"confusion": ((85, 10), (0, 5))})
    assert reasons_to_wait(trained(0, metrics=metrics), None) == ()
    assert "95 %" in reasons_to_wait(trained(0, metrics=uneven), None)[0]


@pytest.mark.parametrize(
    ("losses", "waits"), [((0.3, 2.0), False), ((0.7, 0.69), False), ((0.7, 2.0), True)]
)
def test_the_pass_that_was_taken_loses_less_than_guessing(
    losses: tuple[float, ...], *, waits: bool
) -> None:
    """ln 2 nats for two classes; the best pass is the one that is published."""
    reasons = reasons_to_wait(trained(18, 20, *losses), None)
    assert bool(reasons) is waits and waits == (min(losses) >= math.log(2))
    assert all("guessing has 0.693" in one for one in reasons)


def test_what_has_no_passes_is_judged_by_its_figures() -> None:
    """An uploaded model has no curve here."""
    worse = some_metrics(LABELS).model_copy(update={"nll": 0.8})
    assert len(reasons_to_wait(trained(0, metrics=worse), None)) == 1
    assert reasons_to_wait(trained(0, metrics=None), None) == (NOT_EXAMINED,)


def test_a_clearly_worse_version_waits() -> None:
    """Only where the intervals do not meet; a better one, or one that may be as good, does not."""
    serving = trained(95, 100)
    assert reasons_to_wait(trained(92, 100), serving) == ()
    assert reasons_to_wait(trained(99, 100), serving) == ()
    (reason,) = reasons_to_wait(trained(80, 100), serving)
    assert "160 of 200" in reason and "190 of 200" in reason


def test_versions_of_other_images_are_not_compared() -> None:
    """Another set, another part of it, or a model that nobody examined."""
    serving, metrics = trained(95, 100), some_metrics(LABELS, 100, 80)
    validation: ImageMetrics = metrics.model_copy(update={"part": "validation"})
    for one in (
        trained(80, 100, data_set="other"),
        trained(80, 100, metrics=validation),
    ):
        assert reasons_to_wait(one, serving) == ()
    assert reasons_to_wait(trained(80, 100), trained(0, metrics=None)) == ()
    assert reasons_to_wait(trained(80, 100, data_set=""), trained(95, 100, data_set="")) == ()
