"""Would the forecasts have been good: learned from what was known by a day, scored later (A7).

The questions of a card are about items that a model has not met; the question here is about time.
So an item may have windows on both sides of the day, as a case has that is asked about again.

Shapes: W windows, R windows of one shape, F features.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.clock import DAY_S, iso
from cluster.contracts.trend import ShapeCard
from cluster.contracts.trend_forward import ForwardStudy
from cluster.errors import WindowInvalid
from cluster.trend import baselines
from cluster.trend.artefact import TrendModel, load
from cluster.trend.exam import Exam
from cluster.trend.fit import FitConfig
from cluster.trend.lesson import prepare
from cluster.trend.metrics import Scores
from cluster.trend.publish import fit, rival_scores, shape_card
from cluster.trend.windows import Floats, Mask, conformed, known_numbers, numbers

_REMEDY: Final = "Give another day, or windows of a longer time."


@dataclass(frozen=True)
class Division:
    """Windows on both sides of a day."""

    earlier: pa.Table
    """Their horizon had ended by the day."""
    later: pa.Table
    """They are cut on the day or after it."""
    n_between: int
    n_without_cut: int


def divide(windows: pa.Table, day: float) -> Division:
    """Divide windows by a day, seconds since the epoch.

    Raises:
        WindowInvalid: a cut is not a number.
    """
    table = conformed(windows)
    cut_W = known_numbers(table, "cut")
    end_W = cut_W + DAY_S * numbers(table, "n_fut") * numbers(table, "bin_days")
    is_earlier_W, is_later_W = end_W <= day, cut_W >= day  # NaN, not known, is neither
    n_without_cut = int(np.isnan(cut_W).sum())
    return Division(
        earlier=table.filter(pa.array(is_earlier_W & ~is_later_W)),
        later=table.filter(pa.array(is_later_W)),
        n_between=len(cut_W) - n_without_cut - int((is_earlier_W | is_later_W).sum()),
        n_without_cut=n_without_cut,
    )


def study_forward(windows: pa.Table, day: float, config: FitConfig, source: str) -> ForwardStudy:
    """Learn from windows known by a day, and score forecasts of those cut later.

    Args:
        windows: rows of the ``WINDOWS`` schema with labels.
        day: seconds since the epoch, UTC.
        config: how the model is trained.
        source: what the windows were read from.

    Raises:
        WindowInvalid: a window is not usable or has no label, or there are none on one side.
    """
    parts = divide(windows, day)
    if not parts.earlier.num_rows:
        what = "the horizon of no window had ended"
        raise WindowInvalid(what, f"by {iso(day)}", _REMEDY)
    content, _ = fit(parts.earlier, config, "")
    model = load(content)
    covered_W = model.covers(model.features(parts.later))
    later = parts.later.filter(pa.array(covered_W))
    if not later.num_rows:
        what = "no window of a shape that could be learned from is cut"
        raise WindowInvalid(what, f"on {iso(day)} or later", _REMEDY)
    return ForwardStudy(
        day=day,
        source=source,
        seed=config.seed,
        n_learned=parts.earlier.num_rows,
        n_scored=later.num_rows,
        n_between=parts.n_between,
        n_without_cut=parts.n_without_cut,
        n_unlike=int((~covered_W).sum()),
        shapes=_cards(model, parts.earlier, later),
    )


def _cards(model: TrendModel, earlier: pa.Table, later: pa.Table) -> tuple[ShapeCard, ...]:
    """Score the mean of all members beside the baselines, for each shape that occurs."""
    known, asked = (
        prepare(table, model.profile.shapes, model.profile.left_out).exam
        for table in (earlier, later)
    )
    forecast = model.forecast(later, asked.features)
    cards = []
    for place in np.unique(asked.place_W).tolist():
        rows = asked.place_W == place
        part = asked.at(rows)
        rivals = _rivals(known.at(known.place_W == place), part)
        cards.append(shape_card(model, place, part, forecast.at(rows), rivals))
    return tuple(cards)


def _rivals(known: Exam, asked: Exam) -> dict[str, Scores]:
    """Return the forecasts of baselines fitted on the earlier windows, for the later ones."""
    inputs_RF = _filled(known.features.inputs_WF, asked.features.inputs_WF)
    recent_R, y_R, hot_R, surge_R = (
        np.concatenate([one, other])
        for one, other in (
            (known.features.persistence_log2_W, asked.features.persistence_log2_W),
            (known.labels.y_W, asked.labels.y_W),
            (known.labels.hot_W, asked.labels.hot_W),
            (known.labels.surge_W, asked.labels.surge_W),
        )
    )
    is_asked_R: Mask = np.arange(len(y_R)) >= len(known)
    tasks = [(~is_asked_R, is_asked_R)]
    said = (
        baselines.forecasts(inputs_RF, recent_R, y_R, tasks),
        baselines.chances(inputs_RF, recent_R, hot_R, tasks),
        baselines.chances(inputs_RF, recent_R, surge_R, tasks),
    )
    y, hot, surge = ({name: one[is_asked_R] for name, one in part.items()} for part in said)
    return rival_scores(y, hot, surge, asked.features)


def _filled(known_RF: NDArray[np.float32], asked_RF: NDArray[np.float32]) -> Floats:
    """Return both, with the mean of the earlier windows where a feature is not told."""
    known, asked = known_RF.astype(np.float64), asked_RF.astype(np.float64)
    told_F = np.isfinite(known).sum(axis=0)
    mean_F = np.nan_to_num(known).sum(axis=0) / np.maximum(told_F, 1)
    both = np.concatenate([known, asked])
    return np.where(np.isfinite(both), both, mean_F)
