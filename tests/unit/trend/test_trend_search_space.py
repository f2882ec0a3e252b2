"""What a search for a configuration tries, and by what it judges."""

from dataclasses import replace

import numpy as np
import pytest

from cluster.contracts.trend_search import SearchPlan, TrendSearch, Trial
from cluster.errors import Conflict, NotFound, SettingInvalid
from cluster.learning.search import BEST, chosen, ranked
from cluster.trend.fit import FitConfig, Fitting
from cluster.trend.lesson import prepare
from cluster.trend.search import SPACE, config_of, plan_search, validation_loss, values_of
from tests.unit.trend.access_windows import access_windows

LESSON = prepare(access_windows(300, seed=1))


def a_plan(n: int = 4, seed: int = 1) -> SearchPlan:
    return plan_search(
        windows="w", dataset_digest="d", n_windows=300, n_trials=n, epochs_max=5, seed=seed
    )


def trial(name: str, loss: float | None, state: str = "finished") -> Trial:
    return Trial(id=name, values={}, state=state, validation_loss=loss, error="fault")


def test_the_default_is_first_and_inside_the_space() -> None:
    """A6: a search never ends worse than the default, for the default is one of its trials."""
    first = a_plan(1).candidates
    assert len(first) == 1
    assert config_of(first[0].values, FitConfig()) == FitConfig()
    for parameter in SPACE:
        assert parameter.low <= first[0].values[parameter.name] <= parameter.high
        assert parameter.meaning


def test_the_same_seed_draws_the_same_and_more_trials_begin_with_them() -> None:
    """A6: a search can be repeated; its trials are named by their number."""
    assert a_plan(6).candidates[:3] == a_plan(3).candidates
    other = a_plan(3, seed=2).candidates
    assert other[0] == a_plan(3).candidates[0]
    assert other[1].values != a_plan(3).candidates[1].values
    assert [one.id for one in other] == ["trial-00", "trial-01", "trial-02"]


def test_every_draw_is_a_configuration_within_the_bounds() -> None:
    """A6: nothing outside the documented bounds is tried; a drawn value arrives as it is."""
    drawn = a_plan(300).candidates
    base = FitConfig(epochs_max=7, seed=9)
    for one in drawn:
        made = config_of(one.values, base)
        assert values_of(made) == one.values
        assert (made.epochs_max, made.seed) == (7, 9)
        for parameter in SPACE:
            value = one.values[parameter.name]
            assert parameter.low <= value <= parameter.high
            assert not parameter.choices or value in parameter.choices
    for parameter in SPACE:  # and all of the range is reached
        values = np.array([one.values[parameter.name] for one in drawn], dtype=float)
        ends = np.array([parameter.low, parameter.high])
        if parameter.scale == "log":
            values, ends = np.log(values), np.log(ends)
        assert values.min() < ends[0] + 0.1 * np.ptp(ends)
        assert values.max() > ends[1] - 0.1 * np.ptp(ends)


@pytest.mark.parametrize("values", [{"width": 0}, {"lr": -1.0}, {"dropout": 1.0}, {"rate": 0.1}])
def test_a_value_that_cannot_be_is_refused(values: dict[str, float]) -> None:
    """A6: unknown names and values out of bounds are named, not guessed at."""
    with pytest.raises(SettingInvalid, match=next(iter(values))):
        config_of(values, FitConfig())


def test_trials_are_judged_alike_whatever_their_label_weight() -> None:
    """A6: the weight of the labels is searched, so it must not change what it is judged by."""
    light, heavy = (
        Fitting(LESSON, FitConfig(label_weight=weight, epochs_max=2)) for weight in (0.1, 2.0)
    )
    assert light.best_losses[0] < heavy.best_losses[0]
    assert validation_loss(light, 0.5) == pytest.approx(validation_loss(heavy, 0.5))
    light.run_epoch()
    assert validation_loss(light, 0.1) == pytest.approx(np.mean(light.best_losses), rel=1e-5)


def test_only_validation_items_are_looked_at() -> None:
    """A6: whatever comes of items that no member stops by, the loss of a search is the same."""
    fitting = Fitting(LESSON, FitConfig())
    before, exam = validation_loss(fitting, 1.0), LESSON.exam
    is_validation_W = exam.folds.validation_MW.any(axis=0)
    assert 0 < is_validation_W.sum() < len(exam)
    for rows, is_same in ((~is_validation_W, True), (is_validation_W, False)):
        labels = replace(exam.labels, y_W=np.where(rows, 99.0, exam.labels.y_W))
        fitting.lesson = replace(LESSON, exam=replace(exam, labels=labels))
        assert (validation_loss(fitting, 1.0) == before) == is_same


def test_the_best_is_first_and_the_failed_are_last() -> None:
    """A6: the least loss first, whether finished or not; a failed trial is never the best."""
    found = ranked(
        [
            trial("a", None, "failed"),
            trial("b", 0.5),
            trial("c", 0.4, "stopped_early"),
            trial("d", 0.1, "failed"),
        ]
    )
    assert [one.id for one in found] == ["c", "b", "d", "a"]


def test_a_trial_is_chosen_by_its_id() -> None:
    """A6: the best, or the one that is named; for an unknown one the known are listed."""
    search = TrendSearch(
        plan=a_plan(), trials=ranked([trial("a", 0.2), trial("b", 0.1), trial("c", None, "failed")])
    )
    assert chosen(search.trials, BEST).id == "b"
    assert chosen(search.trials, "a").id == "a"
    with pytest.raises(NotFound, match="Known are best and: a, b, c"):
        chosen(search.trials, "z")
    with pytest.raises(Conflict, match="c failed"):
        chosen(search.trials, "c")
    with pytest.raises(NotFound, match="Run the search to its end first"):
        chosen((), BEST)
