"""The second model: better on new windows, bounded on old ones, or nothing."""

import numpy as np
import pyarrow as pa
import pytest

from cluster.trend.artefact import TrendModel, load
from cluster.trend.features import hold_out_mask, labels, windows_to_features
from cluster.trend.fit import FitConfig, fit
from cluster.trend.incremental import update
from tests.unit.trend.access_windows import access_windows, with_column

BOUND = 0.015
OLD = access_windows(800, seed=1)
NEW = access_windows(800, seed=2, growth=2.0, prefix="late")


def msle_of(model: TrendModel, windows: pa.Table) -> float:
    guard = windows.filter(hold_out_mask(windows["item_id"]))
    predicted = np.array([p.log_growth for p in model.predict(guard)])
    return float(np.mean((predicted - labels(guard)) ** 2))


def with_totals(windows: pa.Table, totals: np.ndarray) -> pa.Table:
    return with_column(windows, "fut_total", list(totals))


@pytest.fixture(scope="module")
def first() -> TrendModel:
    return load(fit(OLD, FitConfig(seed=1), "digest")[0])


def test_an_update_learns_a_drift_and_keeps_what_was_known(first: TrendModel) -> None:
    """A9: the second model is better on new windows, and no worse than the bound on old ones."""
    content, report = update(first, old=OLD, new=NEW, preset=0.3, forgetting_max=BOUND, seed=0)
    assert content is not None
    second = load(content)
    assert report.accepted
    assert report.new_before == pytest.approx(msle_of(first, NEW), abs=1e-4)
    assert report.new_after == pytest.approx(msle_of(second, NEW), abs=1e-4)
    assert report.old_before == pytest.approx(msle_of(first, OLD), abs=1e-4)
    assert report.old_after == pytest.approx(msle_of(second, OLD), abs=1e-4)
    assert report.new_after < report.new_before
    assert report.old_after <= report.old_before + BOUND
    assert (second.profile.role, second.profile.parent) == ("second", first.version)
    assert second.profile.hot_threshold_log2 == first.profile.hot_threshold_log2


def test_an_update_can_be_repeated(first: TrendModel) -> None:
    """A9: the same inputs and seed give the same second model and the same report."""
    arguments = {"old": OLD, "new": NEW, "preset": 0.3, "forgetting_max": BOUND}
    once, again, other = (update(first, **arguments, seed=seed) for seed in (5, 5, 6))
    assert once == again
    assert once[0] != other[0]


def test_a_first_model_learns_to_read_the_propagation_index() -> None:
    """A9: a model from the time before propagation was known takes it up by an update."""
    unaware = with_column(OLD, "propagation", [None] * OLD.num_rows)
    first = load(fit(unaware, FitConfig(seed=1), "digest")[0])
    content, report = update(first, old=unaware, new=NEW, preset=0.3, forgetting_max=BOUND, seed=0)
    assert content is not None
    assert report.new_after < 0.6 * report.new_before


def test_the_gate_and_the_samples_beside_it_are_counted(first: TrendModel) -> None:
    """A9: n windows reach the preset (it is included); as many others; old ones rehearsed."""
    propagation = NEW["propagation"].to_numpy().copy()
    propagation[:100], propagation[100:200] = 0.7, np.nextafter(0.7, 0)
    propagation[200:] = np.minimum(propagation[200:], 0.6)
    new = with_column(NEW, "propagation", list(propagation))
    _, report = update(first, old=OLD, new=new, preset=0.7, forgetting_max=BOUND, seed=0)
    items = NEW["item_id"].slice(0, 100)
    free = ~hold_out_mask(items) & ~hold_out_mask(items, salt="validation")
    assert report.n_gated == report.n_random == free.sum()
    assert report.n_rehearsal == 2 * report.n_gated
    assert report.propagation_preset == 0.7


def test_the_loss_data_are_those_of_the_third_index(first: TrendModel) -> None:
    """A9: the loss of the first model's index on the gated windows, by its definition."""
    _, report = update(first, old=OLD, new=NEW, preset=0.3, forgetting_max=BOUND, seed=0)
    free = ~hold_out_mask(NEW["item_id"]) & ~hold_out_mask(NEW["item_id"], salt="validation")
    gated = NEW.filter(free & (NEW["propagation"].to_numpy() >= 0.3))
    y, logit = first.outputs(windows_to_features(gated).inputs_WF)
    index = first.profile.calibration.probability(logit)
    truth = labels(gated)
    hot = truth >= first.profile.hot_threshold_log2
    entropy = -np.log(np.where(hot, index, 1 - index))
    assert report.loss_data_mean == pytest.approx(np.mean((truth - y) ** 2 + entropy), rel=1e-6)


def test_a_harmful_update_publishes_nothing(first: TrendModel) -> None:
    """A9: learned from shuffled labels, the second model is worse on the guard set: no change."""
    steady = access_windows(800, seed=4, prefix="late")
    guard = hold_out_mask(steady["item_id"])
    totals = steady["fut_total"].to_numpy()
    shuffled = np.where(guard, totals, np.random.default_rng(0).permutation(totals))
    content, report = update(
        first,
        old=OLD,
        new=with_totals(steady, shuffled),
        preset=0.3,
        forgetting_max=BOUND,
        seed=0,
    )
    assert content is None
    assert not report.accepted
    assert "no better on new windows" in report.reason
    assert report.new_after > report.new_before


def test_an_update_beyond_the_bound_publishes_nothing(first: TrendModel) -> None:
    """A9: what is forgotten is bounded, however much is gained on new windows."""
    content, report = update(first, old=OLD, new=NEW, preset=0.3, forgetting_max=-10.0, seed=0)
    assert content is None
    assert report.new_after < report.new_before
    assert "forgets too much" in report.reason


@pytest.mark.parametrize(
    ("new", "old", "preset", "reason"),
    [
        (NEW, OLD, 1.0, "too few windows reach the propagation preset: 0 of 20"),
        (with_column(NEW, "propagation", [None] * 800), OLD, 0.0, "too few windows reach"),
        (NEW.slice(0, 0), OLD, 0.3, "too few windows reach"),
        (NEW, OLD.slice(0, 30), 0.3, "too few guard windows"),
        (NEW, OLD.slice(0, 0), 0.3, "too few guard windows: 0 old"),
        (NEW.filter(~hold_out_mask(NEW["item_id"])), OLD, 0.3, "and 0 new"),
        (NEW, OLD.filter(hold_out_mask(OLD["item_id"])), 0.3, "no old windows to rehearse"),
    ],
)
def test_too_little_to_learn_from_is_said(
    first: TrendModel, new: pa.Table, old: pa.Table, preset: float, reason: str
) -> None:
    """A9: where no update can be made or judged, the report says why and nothing changes."""
    content, report = update(first, old=old, new=new, preset=preset, forgetting_max=BOUND, seed=0)
    assert content is None
    assert reason in report.reason
    assert (report.old_after, report.new_after) == (report.old_before, report.new_before)
