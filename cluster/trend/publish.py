"""From a finished training run to a model with its card (S620-S640).

All figures are on items kept apart: each window is forecast by the one member that neither
learned from its item nor stopped by it. The published forecast is the mean of five members, which
errs less than one, so the card is on the careful side. On the other side, the share of the
correction and the calibration of both labels, seven figures of a shape, are fitted on the windows
that are scored. Fitted without the member's own windows, on real accesses of four sources, they
gave an MSLE that was higher by at most 0.002 and a Brier score higher by at most 0.001.

Shapes: W windows, M members, S window shapes, O outputs.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import torch

from cluster.contracts.trend import ReliabilityBin, ShapeCard, TrendCard
from cluster.learning.chance import reproducible
from cluster.trend import baselines
from cluster.trend.artefact import (
    Forecast,
    Profile,
    ShapeProfile,
    TrendModel,
    calibrated,
    linear_outputs,
    load,
    member_outputs,
    save,
)
from cluster.trend.calibration import calibrate
from cluster.trend.exam import Exam
from cluster.trend.features import Features
from cluster.trend.fit import FitConfig, Fitting
from cluster.trend.labels import growth
from cluster.trend.lesson import prepare
from cluster.trend.metrics import Scores, interval, measure
from cluster.trend.network import HOT, SURGE, TrendNetwork, Y
from cluster.trend.windows import Floats, Mask

TENTHS: Final = 10
"""Parts of the stated chance by which a card shows whether it holds."""


def publish(fitting: Fitting, dataset_digest: str) -> tuple[bytes, TrendCard]:
    """Weigh, calibrate and seal the best network, and score it beside the baselines.

    Args:
        fitting: the finished run.
        dataset_digest: what names these windows.

    Returns:
        The model's bytes and its card.
    """
    lesson, network = fitting.lesson, fitting.best_network()
    exam = lesson.exam
    with reproducible(fitting.config.seed):
        weigh_correction(network, exam, range(network.n_shapes))
        outputs_WO = kept_apart(network, exam)
        profile = Profile(
            role="first",
            seed=fitting.config.seed,
            shapes=recalibrated(lesson.shapes, [(exam, outputs_WO)]),
            left_out=fitting.config.left_out,
        )
        content = save(network, profile)
        model = load(content)
        shapes = shape_cards(model, exam)
    card = TrendCard(
        version=model.version,
        role="first",
        dataset_digest=dataset_digest,
        seed=fitting.config.seed,
        epochs=fitting.epochs,
        converged=fitting.converged,
        n_train=len(exam),
        shapes=shapes,
        learning_curve=fitting.learning_curve,
    )
    return content, card


def fit(windows: pa.Table, config: FitConfig, dataset_digest: str) -> tuple[bytes, TrendCard]:
    """Train a first model in this process, without Ray.

    Raises:
        WindowInvalid: a window is not usable or has no label, or there are too few items.
    """
    fitting = Fitting(prepare(windows, left_out=config.left_out), config)
    while not fitting.finished:
        fitting.run_epoch()
    return publish(fitting, dataset_digest)


def examine(model: TrendModel, windows: pa.Table) -> Exam:
    """Put windows with labels before a model.

    Raises:
        WindowInvalid: a window is not usable, has no label, or the model was trained for others.
    """
    model.places(windows, model.features(windows))
    return prepare(windows, model.profile.shapes, model.profile.left_out).exam


def weigh_correction(network: TrendNetwork, exam: Exam, places: "range | list[int]") -> None:
    """Choose for each shape how much of the correction is added to the linear forecast.

    The share, 0 to 1, is the one with the least squared error on kept-apart items: where the
    layers have learned nothing that holds, the linear model stands alone.
    """
    linear_W = exam.kept_apart(linear_outputs(network, exam.features, exam.place_W))
    correction_W = kept_apart(network, exam)[:, Y] - linear_W
    missing_W = exam.labels.y_W - linear_W
    for place in places:
        rows = exam.place_W == place
        power = float(np.square(correction_W[rows]).sum())
        share = float(correction_W[rows] @ missing_W[rows]) / power if power > 0 else 1.0
        with torch.no_grad():
            network.share_S[place] *= min(max(share, 0.0), 1.0)


def kept_apart(network: TrendNetwork, exam: Exam) -> Floats:
    """Return each window's outputs by the member that keeps its item apart, shape [W, O]."""
    return exam.kept_apart(member_outputs(network, exam.features, exam.place_W))


def recalibrated(
    shapes: tuple[ShapeProfile, ...], answers: Sequence[tuple[Exam, Floats]]
) -> tuple[ShapeProfile, ...]:
    """Fit the chances of both labels on kept-apart windows, shape by shape.

    Args:
        shapes: of the network, in its order.
        answers: windows with their outputs by the members that keep them apart, shape [W, O].
    """
    place_W = np.concatenate([exam.place_W for exam, _ in answers])
    outputs_WO = np.concatenate([outputs_WO for _, outputs_WO in answers])
    hot_W = np.concatenate([exam.labels.hot_W for exam, _ in answers])
    surge_W = np.concatenate([exam.labels.surge_W for exam, _ in answers])
    found = []
    for place, known in enumerate(shapes):
        rows = place_W == place
        hot, surge = known.hot, known.surge
        if rows.any():
            y_R = outputs_WO[rows, Y]
            hot = calibrate(outputs_WO[rows, HOT], y_R, hot_W[rows])
            surge = calibrate(outputs_WO[rows, SURGE], y_R, surge_W[rows])
        found.append(known.model_copy(update={"hot": hot, "surge": surge}))
    return tuple(found)


def shape_cards(model: TrendModel, exam: Exam) -> tuple[ShapeCard, ...]:
    """Score a model beside the baselines on kept-apart items, for each shape that occurs."""
    forecast = calibrated(model.profile, exam.place_W, kept_apart(model.network, exam))
    return tuple(
        shape_card(model, place, part, forecast.at(exam.place_W == place), _rivals(part))
        for place in np.unique(exam.place_W).tolist()
        for part in [exam.at(exam.place_W == place)]
    )


def shape_card(
    model: TrendModel, place: int, exam: Exam, said: Forecast, rivals: dict[str, Scores]
) -> ShapeCard:
    """Score forecasts of one shape of windows beside those of the baselines.

    Args:
        model: whose forecasts they are.
        place: of the shape in the model.
        exam: the windows, all of this shape.
        said: the forecasts of these windows.
        rivals: those of the baselines.
    """
    known, came = model.profile.shapes[place], exam.labels
    better_W = (rivals[baselines.LINEAR].y_W - came.y_W) ** 2 - (said.y_W - came.y_W) ** 2
    scores = Scores(said.y_W, growth(said.y_W, exam.features), said.hot_W, said.surge_W)
    return ShapeCard(
        name=known.name,
        n_obs=known.n_obs,
        n_fut=known.n_fut,
        bin_days=known.bin_days,
        n_windows=len(exam),
        n_items=len(exam.items.unique()),
        hot_threshold_log2=known.hot_threshold_log2,
        correction_share=float(model.network.share_S[place]),
        held_out=measure(came, scores, exam.items),
        baselines={name: measure(came, one, exam.items) for name, one in rivals.items()},
        better_than_linear=interval(exam.items, better_W),
        hot_reliability=_reliability(came.hot_W, said.hot_W),
    )


def rival_scores(
    y: dict[str, Floats], hot: dict[str, Floats], surge: dict[str, Floats], features: Features
) -> dict[str, Scores]:
    """Put what each baseline says of some windows together, by the baseline's name."""
    return {
        name: Scores(
            y_W=y[name],
            growth_W=growth(y[name], features),
            hot_W=hot[name],
            surge_W=surge[name],
            is_probability=name != baselines.PERSISTENCE,
        )
        for name in y
    }


def _reliability(hot_W: Mask, stated_W: Floats) -> tuple[ReliabilityBin, ...]:
    """Compare the stated chance of being hot with what came, by tenths of the chance."""
    tenth_W = np.minimum((stated_W * TENTHS).astype(np.int64), TENTHS - 1)
    counts, stated, found = (
        np.bincount(tenth_W, weights=figure_W, minlength=TENTHS).tolist()
        for figure_W in (np.ones(len(stated_W)), stated_W, hot_W)
    )
    return tuple(
        ReliabilityBin(n=int(n), stated=stated[tenth] / n, found=found[tenth] / n)
        for tenth, n in enumerate(counts)
        if n
    )


def _rivals(exam: Exam) -> dict[str, Scores]:
    """Return the forecasts of the baselines for the windows of one shape."""
    features, came, tasks = exam.features, exam.labels, baselines.tasks_of(exam.folds)
    inputs_WF = features.inputs_WF.astype(np.float64)
    recent_W = features.persistence_log2_W
    return rival_scores(
        baselines.forecasts(inputs_WF, recent_W, came.y_W, tasks),
        baselines.chances(inputs_WF, recent_W, came.hot_W, tasks),
        baselines.chances(inputs_WF, recent_W, came.surge_W, tasks),
        features,
    )
