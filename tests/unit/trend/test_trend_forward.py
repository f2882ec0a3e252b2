"""Forecasts forward in time."""

import numpy as np
import pyarrow as pa
import pytest

from cluster.clock import DAY_S
from cluster.errors import WindowInvalid
from cluster.trend.fit import FitConfig
from cluster.trend.forward import divide, study_forward
from cluster.trend.network import TrendNetworkConfig
from tests.unit.trend.access_windows import MONTHLY, access_windows, with_cell, with_column

CONFIG = FitConfig(network=TrendNetworkConfig(width=8), epochs_max=4, seed=1)
DAY = 1.7e9 + 200 * DAY_S
ROWS = access_windows(700, seed=1)
HORIZON = 8 * 1.75 * DAY_S


def with_cuts(windows: pa.Table, cuts: list[float | None]) -> pa.Table:
    return with_column(windows, "cut", list(cuts))


def test_windows_are_divided_by_what_was_known_that_day() -> None:
    """A7: learned from is what had come to its end by the day, the instant included; asked about
    what is cut on it or later; the rest is left out and counted.
    """
    cuts = [DAY - HORIZON, DAY - HORIZON + 1, DAY - 1, DAY, DAY + 1, None]
    parts = divide(with_cuts(ROWS.slice(0, 6), cuts), DAY)
    assert parts.earlier["cut"].to_pylist() == cuts[:1]
    assert parts.later["cut"].to_pylist() == cuts[3:5]
    assert (parts.n_between, parts.n_without_cut) == (2, 1)


def test_the_study_counts_every_window_and_scores_the_later_ones() -> None:
    """A7: learned, scored, between, without a cut and unlike add up to all; figures of the
    network and of three baselines are on the windows scored, with intervals.
    """
    rows = with_cell(ROWS, "cut", 3, None)
    strange = access_windows(5, seed=2, prefix="strange", shape=MONTHLY)
    rows = pa.concat_tables([rows, with_cuts(strange, [DAY + 1] * 5)])
    study = study_forward(rows, DAY, CONFIG, "rows")
    left_out = study.n_between + study.n_without_cut + study.n_unlike
    assert study.n_learned + study.n_scored + left_out == 705
    assert (study.n_without_cut, study.n_unlike) == (1, 5)
    (card,) = study.shapes
    assert card.n_windows == study.n_scored == card.held_out.n
    assert set(card.baselines) == {"persistence", "szabo_huberman", "linear"}
    for one in (card.held_out, *card.baselines.values()):
        assert one.msle_interval is not None
        assert one.msle_interval[0] < one.msle < one.msle_interval[1]
    assert card.held_out.msle < card.baselines["persistence"].msle
    assert card.baselines["linear"].msle < card.baselines["szabo_huberman"].msle
    assert card.better_than_linear is not None
    low, high = card.better_than_linear
    assert low < card.baselines["linear"].msle - card.held_out.msle < high


def test_nothing_is_learned_from_what_came_later() -> None:
    """A7: no forecast, of the network or a baseline, depends on the other windows that came later:
    the squared errors of two parts of them add up to those of both.
    """
    is_later = ROWS["cut"].to_numpy() >= DAY
    part = np.cumsum(is_later) % 2 == 0
    totals = ROWS["fut_total"].to_numpy()
    strange = with_column(ROWS, "fut_total", list(np.where(is_later & part, 9 * totals, totals)))
    ages = ROWS["age_days"].to_pylist()
    untold = [None if one else age for one, age in zip(is_later & part, ages, strict=True)]
    strange = with_column(strange, "age_days", untold)
    sums = []
    for kept in (~is_later | part, ~is_later | ~part, np.ones(len(part), dtype=bool)):
        (card,) = study_forward(strange.filter(pa.array(kept)), DAY, CONFIG, "rows").shapes
        told = {"network": card.held_out, **card.baselines}
        sums.append({name: one.n * one.msle for name, one in told.items()})
    one, other, both = sums
    for name, total in both.items():
        assert total == pytest.approx(one[name] + other[name], rel=1e-9), name


@pytest.mark.parametrize(
    ("day", "said"),
    [(1.6e9, "the horizon of no window had ended"), (1.9e9, "no window of a shape")],
)
def test_a_day_without_windows_on_both_sides_is_refused(day: float, said: str) -> None:
    """A7: it is said on which side there is nothing."""
    with pytest.raises(WindowInvalid, match=said):
        study_forward(ROWS, day, CONFIG, "rows")
