"""The simple forecasts that a network has to beat."""

import numpy as np
import pytest

from cluster.errors import WindowInvalid
from cluster.trend.baselines import (
    LINEAR,
    PERSISTENCE,
    SZABO_HUBERMAN,
    chances,
    forecasts,
    tasks_of,
)
from cluster.trend.features import windows_to_features
from cluster.trend.folds import fold
from cluster.trend.labels import outcomes
from cluster.trend.windows import Floats
from tests.unit.trend.access_windows import access_windows, with_column

ROWS = access_windows(300, seed=1)
FEATURES = windows_to_features(with_column(ROWS, "usages", [None] * 300))
INPUTS_WF = FEATURES.inputs_WF.astype(np.float64)
RECENT_W = FEATURES.persistence_log2_W
FOLDS = fold(ROWS["item_id"])
MEMBER_W, TASKS = FOLDS.member_W, tasks_of(FOLDS)
Y_W = outcomes(ROWS)


def test_baselines_find_a_law_they_can_express() -> None:
    """A6: where accesses just go on, persistence is exact; on a scaled law only regressions are."""
    for shift, persists in ((0.0, True), (3.0, False)):
        found = forecasts(INPUTS_WF, RECENT_W, RECENT_W + shift, TASKS)
        assert set(found) == {PERSISTENCE, SZABO_HUBERMAN, LINEAR}
        assert found[SZABO_HUBERMAN] == pytest.approx(RECENT_W + shift, abs=1e-4)
        assert np.allclose(found[PERSISTENCE], RECENT_W + shift) == persists
    law_W = RECENT_W + 4 * FEATURES.propagation_W
    found = forecasts(INPUTS_WF, RECENT_W, law_W, TASKS)
    error = {name: np.var(y_W - law_W) for name, y_W in found.items()}
    assert error[LINEAR] < error[SZABO_HUBERMAN] / 2


def fitted(y_W: Floats) -> list[Floats]:
    """All that was learned from outcomes: both regressions and both classifications."""
    figures = forecasts(INPUTS_WF, RECENT_W, y_W, TASKS)
    probability = chances(INPUTS_WF, RECENT_W, y_W > 7, TASKS)
    return [found[name] for found in (figures, probability) for name in (SZABO_HUBERMAN, LINEAR)]


@pytest.mark.parametrize("member", [0, 3])
def test_a_baseline_never_learns_from_the_windows_it_is_scored_on(member: int) -> None:
    """A6: whatever came after the windows that are kept apart together, their forecast is one."""
    apart_W = member == MEMBER_W
    before, after = fitted(Y_W), fitted(np.where(apart_W, 20.0 - Y_W, Y_W))
    for first_W, second_W in zip(before, after, strict=True):
        assert np.array_equal(first_W[apart_W], second_W[apart_W])
        assert not np.isclose(first_W[~apart_W], second_W[~apart_W]).all()


def test_a_chance_is_one_and_of_a_single_class_the_base_rate() -> None:
    """A6: a logistic regression gives a probability; where all are alike there is no other."""
    found = chances(INPUTS_WF, RECENT_W, Y_W > 7, TASKS)
    assert ((found[LINEAR] > 0) & (found[LINEAR] < 1)).all()
    assert found[LINEAR].mean() == pytest.approx((Y_W > 7).mean(), abs=0.05)
    assert chances(INPUTS_WF, RECENT_W, Y_W > 99, TASKS)[LINEAR].tolist() == [0.0] * 300
    assert chances(INPUTS_WF, RECENT_W, Y_W > -1, TASKS)[SZABO_HUBERMAN].tolist() == [1.0] * 300


def test_a_baseline_learns_from_what_a_member_learns_from() -> None:
    """A6: what a member only stops by teaches its rival nothing either."""
    stopped_W = FOLDS.validation_MW[2]
    before, after = fitted(Y_W), fitted(np.where(stopped_W, 20.0 - Y_W, Y_W))
    for first_W, second_W in zip(before, after, strict=True):
        assert np.array_equal(first_W[MEMBER_W == 2], second_W[MEMBER_W == 2])


def test_a_baseline_with_nothing_to_learn_from_is_refused() -> None:
    """A6: windows that are all kept apart together leave nothing to fit a baseline on."""
    all_W = np.ones(300, dtype=bool)
    with pytest.raises(WindowInvalid, match="no windows to learn from"):
        forecasts(INPUTS_WF, RECENT_W, Y_W, [(~all_W, all_W)])
    assert forecasts(INPUTS_WF[:0], RECENT_W[:0], Y_W[:0], [])[LINEAR].size == 0
