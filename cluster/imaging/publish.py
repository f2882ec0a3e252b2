"""From a finished training run to a bundle, its files and its report (C2, C3, C10).

What is chosen after training is chosen on the validation part: temperature, operating point, the
threshold of the outside, and whether the int8 file is good enough. The figures of the card are of
the test part, by the fp32 file of the bundle and by the decision that devices take.

Shapes: N images, S pixels of a side, K classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.contracts.image_models import (
    Bundle,
    ImageMetrics,
    ImageModelCard,
    LabelCard,
    StartingWeights,
)
from cluster.contracts.images import DataSetCard
from cluster.contracts.trend import ReliabilityBin
from cluster.errors import InputError
from cluster.ids import canonical_json
from cluster.imaging.assemble import Examples, TrainedModel, assemble
from cluster.imaging.calibration import fit_temperature, is_fitted
from cluster.imaging.evaluate import evaluate
from cluster.imaging.fit import ImageFitting
from cluster.imaging.graph import Answers, Graph
from cluster.imaging.lesson import Ints, Lesson
from cluster.imaging.metrics import examine, reliability
from cluster.imaging.network import ImageNetwork
from cluster.imaging.operating import operating_weights
from cluster.imaging.quantise import CALIBRATION_IMAGES
from cluster.imaging.rejection import KEPT, fit_rejection, threshold_of
from cluster.imaging.saliency import grad_cam, overlay_png
from cluster.imaging.shortcut import BorderCheck, border_accuracy
from cluster.models.decision import best_classes, outside

FEATURES_MAX: Final = 4000
"""Training images whose features say where the known lies."""
BORDER_MAX: Final = 2000
CLASS_LEAST: Final = 5
"""Images of each class that stay where some are chosen, or all that it has."""
MISTAKES_MAX: Final = 24
SALIENT: Final = 8
INTENDED_USE: Final = (
    "A second look at images of the kind that it was trained on, by people who know the field; "
    "for research and teaching. It does not replace a diagnosis."
)
Part = Literal["validation", "test"]
FLATTERED: Final = (
    "The set has no test part, so the figures are of the images by which it was also chosen: they "
    "flatter."
)
NOT_CALIBRATED: Final = (
    "Its probabilities could not be calibrated: no temperature fits the validation images, so do "
    "not rely on them."
)
LIMITS: Final = (
    "An unseen class that looks like a known one is not reliably told from it.",
    "Figures are of images from the source of the training set; elsewhere they can be lower.",
)


@dataclass(frozen=True)
class Origin:
    """What a run does not know of itself."""

    name: str
    made_at: float
    made_by: str
    weights: StartingWeights
    data_set: str
    data_set_digest: str
    data_card: DataSetCard
    bound: Mapping[str, tuple[str, str]]
    """Id and name of the disease of each label; both empty where it is none."""
    licence: str
    attribution: str
    changelog: str


class Shown(NamedTuple):
    """One answer for a report: its row in the set, and the classes as places."""

    row: int
    truth: int
    decided: int
    probability: float
    heat: bytes


@dataclass(frozen=True)
class Published:
    """A model as it is handed over, and what its report shows."""

    bundle: Bundle
    files: dict[str, bytes]
    """By name, without ``bundle.json``."""
    scored_on: Part
    mistakes: tuple[Shown, ...]
    saliency: tuple[Shown, ...]
    reliability: tuple[ReliabilityBin, ...]
    distances: tuple[float, ...]
    """Of validation images."""
    border: BorderCheck | None


def publish(fitting: ImageFitting, origin: Origin, say: Callable[[str], None]) -> Published:
    """Calibrate, measure and compile what a run has learned.

    Args:
        fitting: a finished run.
        origin: what it does not know of itself.
        say: is told of each step.

    Raises:
        Fault: the compiled file does not say what the network says.
    """
    lesson, network = fitting.lesson, fitting.best_network()
    validation_rows = lesson.rows_of("validation")
    say(f"calibration on {len(validation_rows):,} validation images")
    learned = evaluate(network, lesson, _some(lesson, FEATURES_MAX))
    judged = evaluate(network, lesson, validation_rows)
    temperature = fit_temperature(judged.logits_NK, judged.truth_N)
    weight_K = operating_weights(judged.logits_NK / temperature, judged.truth_N)
    rejection = fit_rejection(learned.features_NF, learned.truth_N, len(lesson.labels))
    made = assemble(
        TrainedModel(network, temperature, rejection, lesson.size),
        _labels(lesson, origin, weight_K),
        Examples(
            lesson.pixels(_some(lesson, CALIBRATION_IMAGES)),
            lesson.pixels(validation_rows),
            judged.truth_N,
        ),
        _card(fitting, origin, temperature),
        threshold_of,
        say,
    )
    tested = lesson.rows_of("test")
    scored_on: Part = "test" if len(tested) else "validation"
    rows = tested if len(tested) else validation_rows
    say(f"figures of {len(rows):,} {scored_on} images")
    graph = Graph(made.files["model-fp32.onnx"])
    said = graph.answers(lesson.pixels(rows))
    decided_N = best_classes(said.p_NK, weight_K)
    bundle = _with_metrics(made.bundle, said, (lesson.truth_N[rows], decided_N), scored_on)
    return Published(
        bundle=bundle,
        files=made.files,
        scored_on=scored_on,
        mistakes=_mistakes(said, lesson.truth_N[rows], decided_N, rows),
        saliency=_saliency(network, lesson, rows, said, decided_N),
        reliability=reliability(said.p_NK, lesson.truth_N[rows]),
        distances=() if made.distance_N is None else tuple(map(float, made.distance_N)),
        border=_border(lesson),
    )


def _labels(lesson: Lesson, origin: Origin, weight_K: NDArray[np.float64]) -> list[LabelCard]:
    truth = lesson.truth_N[lesson.rows_of("training")]
    count_K = np.bincount(truth, minlength=len(lesson.labels))
    return [
        LabelCard(
            label=label,
            disease_id=origin.bound[label][0],
            disease_name=origin.bound[label][1],
            images=int(count_K[at]),
            weight=float(weight_K[at]),
        )
        for at, label in enumerate(lesson.labels)
    ]


def _card(fitting: ImageFitting, origin: Origin, temperature: float) -> ImageModelCard:
    known = is_fitted(temperature)
    lacking = [] if origin.weights.name != "none" else ["It was trained from random weights."]
    lacking += [] if known else [NOT_CALIBRATED]
    return ImageModelCard(
        name=origin.name,
        made_at=origin.made_at,
        made_by=origin.made_by,
        intended_use=INTENDED_USE,
        licence=origin.licence,
        attribution=origin.attribution,
        changelog=origin.changelog,
        backbone=fitting.config.backbone,
        weights=origin.weights,
        data_set=origin.data_set,
        data_set_digest=origin.data_set_digest,
        split_by=origin.data_card.split_by,
        seed=fitting.config.seed,
        config=canonical_json(fitting.config.model_dump(mode="json")),
        temperature=temperature if known else None,
        rejection=(
            "Distance to the nearest class in whitened features of a middle layer; the threshold "
            f"keeps {KEPT:.0%} of the validation images and a margin beyond."
        ),
        limits=(*LIMITS, *lacking),
        epochs=tuple(fitting.curve),
    )


def _with_metrics(bundle: Bundle, said: Answers, classes: tuple[Ints, Ints], part: Part) -> Bundle:
    """Put the figures into the card; ``classes`` are the true and the decided ones."""
    truth_N, decided_N = classes
    reference = bundle.variant("fp32")
    threshold = None if reference is None else reference.outside_above
    is_outside_N = np.zeros(len(truth_N), np.bool_)
    if said.distance_N is not None and threshold is not None:
        is_outside_N = outside(said.distance_N, threshold)
    metrics: ImageMetrics = examine(said.p_NK, truth_N, bundle.label_names, decided_N, is_outside_N)
    limits = bundle.card.limits if part == "test" else (FLATTERED, *bundle.card.limits)
    named = metrics.model_copy(update={"part": part})
    card = bundle.card.model_copy(update={"metrics": named, "limits": limits})
    return bundle.model_copy(update={"card": card})


def _mistakes(said: Answers, truth_N: Ints, decided_N: Ints, rows: Ints) -> tuple[Shown, ...]:
    """Return the wrong answers that were given most surely."""
    p_N = said.p_NK[np.arange(len(rows)), decided_N]
    wrong = np.flatnonzero(decided_N != truth_N)
    worst = wrong[np.argsort(-p_N[wrong], kind="stable")][:MISTAKES_MAX]
    return tuple(
        Shown(int(rows[n]), int(truth_N[n]), int(decided_N[n]), float(p_N[n]), b"") for n in worst
    )


def _saliency(
    network: ImageNetwork, lesson: Lesson, rows: Ints, said: Answers, decided_N: Ints
) -> tuple[Shown, ...]:
    """Show what spoke for the answer, for an image of each of some classes."""
    truth_N = lesson.truth_N[rows]
    _, first = np.unique(truth_N, return_index=True)
    chosen = first[:SALIENT]
    pixels = lesson.pixels(rows[chosen])
    heat = grad_cam(network, pixels, decided_N[chosen], network.heat_layer)
    return tuple(
        Shown(
            int(rows[n]),
            int(truth_N[n]),
            int(decided_N[n]),
            float(said.p_NK[n, decided_N[n]]),
            overlay_png(pixels[at], heat[at]),
        )
        for at, n in enumerate(chosen)
    )


def _border(lesson: Lesson) -> BorderCheck | None:
    rows = _some(lesson, BORDER_MAX)
    groups = np.asarray([lesson.images[row].group for row in rows], np.int64)
    try:
        return border_accuracy(lesson.pixels(rows), lesson.truth_N[rows], groups)
    except InputError:
        return None  # too few images to ask


def _some(lesson: Lesson, most: int) -> Ints:
    """Return about so many training rows, evenly over each class and none without its least."""
    rows = lesson.rows_of("training")
    if len(rows) <= most:
        return rows
    chosen = []
    for one in np.unique(lesson.truth_N[rows]):
        own = rows[lesson.truth_N[rows] == one]
        number = min(len(own), max(CLASS_LEAST, len(own) * most // len(rows)))
        chosen.append(own[np.linspace(0, len(own) - 1, number).astype(np.int64)])
    return np.sort(np.concatenate(chosen))
