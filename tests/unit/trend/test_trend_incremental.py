"""The second model: better on new windows, bounded on old ones, or nothing."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from cluster.trend.artefact import TrendModel, linear_outputs, load
from cluster.trend.exam import Exam
from cluster.trend.features import windows_to_features
from cluster.trend.fit import FitConfig
from cluster.trend.folds import N_MEMBERS, fold
from cluster.trend.incremental import begin, change, gated, guard_errors, update
from cluster.trend.metrics import interval
from cluster.trend.network import TrendNetworkConfig
from cluster.trend.publish import examine, fit, kept_apart
from cluster.trend.rehearsal import Choice, Recipe, choose, loss_weights
from tests.unit.trend.access_windows import MONTHLY, access_windows, with_column

BOUND = 0.015
OLD = access_windows(800, seed=1)
NEW = access_windows(800, seed=2, growth=2.0, prefix="late")
OTHER = with_column(
    access_windows(400, seed=3, prefix="month", shape=MONTHLY), "bin_days", [30.0] * 400
)
LEVEL = np.log2(1 + OTHER["fut_total"].to_numpy())
CURVED = with_column(OTHER, "fut_total", list(2.0 ** (6 + np.abs(LEVEL - LEVEL.mean())) - 1))
"""Not linear: the further from the mean, the more."""
CONFIG = FitConfig(network=TrendNetworkConfig(width=16), epochs_max=12, seed=1)
TERMS = {"preset": 0.3, "forgetting_max": BOUND, "seed": 0}
FREE = Recipe(is_bounded=False)


@pytest.fixture(scope="module")
def first() -> TrendModel:
    return load(fit(OLD, CONFIG, "digest")[0])


def msle_of(model: TrendModel, windows: pa.Table) -> float:
    """The error on kept-apart windows, straight from its definition."""
    exam = examine(model, windows)
    return float(np.mean((kept_apart(model.network, exam)[:, 0] - exam.labels.y_W) ** 2))


def member_weights(content: bytes, member: int) -> dict[str, np.ndarray]:
    named = load(content).network.named_parameters()
    return {name: weights[member].detach().numpy() for name, weights in named}


def chosen(first: TrendModel, recipe: Recipe, *, preset: float = 0.3) -> tuple[Choice, Exam, Exam]:
    start, pools = begin(first, OLD, NEW)
    mask = gated(pools.new, "propagation", preset)
    return choose(start, pools.old, pools.new, mask, recipe, 0), pools.old, pools.new


def test_an_update_learns_a_drift_and_keeps_what_was_known(first: TrendModel) -> None:
    """A9: the second model is better on new windows, no worse than the bound on old ones, and
    names its parent; the report's errors are those of kept-apart windows.
    """
    content, report = update(first, old=OLD, new=NEW, **TERMS)
    assert content is not None
    assert report.accepted
    second = load(content)
    assert report.new_before == pytest.approx(msle_of(first, NEW), abs=1e-4)
    assert report.new_after == pytest.approx(msle_of(second, NEW), abs=1e-4)
    assert report.old_before == pytest.approx(msle_of(first, OLD), abs=1e-4)
    assert report.old_after == pytest.approx(msle_of(second, OLD), abs=1e-4)
    assert report.new_after < report.new_before
    assert report.old_after <= report.old_before + BOUND
    assert (second.profile.role, second.profile.parent) == ("second", first.version)
    (known,), (kept,) = first.profile.shapes, second.profile.shapes
    assert kept.thresholds == known.thresholds


def test_an_update_can_be_repeated(first: TrendModel) -> None:
    """A9: the same inputs and seed give the same second model and the same report."""
    once, again, other = (
        update(first, old=OLD, new=NEW, **(TERMS | {"seed": seed})) for seed in (5, 5, 6)
    )
    assert once == again
    assert once[0] != other[0]


def test_the_gate_by_propagation(first: TrendModel) -> None:
    """A9: gated in are windows whose index reaches the preset, the preset included; not those
    whose index is not known.
    """
    propagation = np.full(NEW.num_rows, 0.5)
    propagation[:2] = 0.7, np.nextafter(0.7, 0)
    new = with_column(NEW, "propagation", [None, *propagation[:-1]])
    _, pools = begin(first, OLD, new)
    assert np.flatnonzero(gated(pools.new, "propagation", 0.7)).tolist() == [1]
    assert not gated(pools.new, "propagation", 0.5)[0]


def test_the_gate_by_usages_is_the_top_quarter_of_each_shape(first: TrendModel) -> None:
    """A9: sources without paths are gated by usages among their own shape; where a source tells
    none there is no top.
    """
    _, pools = begin(first, OLD, pa.concat_tables([NEW, OTHER]))
    gated_W = gated(pools.new, "usages", 0.3)
    usages_W = pools.new.features.usages_mean_W
    for place in (0, 1):
        rows = pools.new.place_W == place
        assert 0.25 <= gated_W[rows].mean() < 0.35
        assert usages_W[rows & gated_W].min() > usages_W[rows & ~gated_W].max()
    _, silent = begin(first, OLD, with_column(NEW, "usages", [None] * NEW.num_rows))
    assert not gated(silent.new, "usages", 0.3).any()
    assert gated(silent.new, "none", 0.3).all()


def test_the_samples_beside_the_gated_windows(first: TrendModel) -> None:
    """A9: as many random ungated windows as gated ones; old ones as many as both together, or a
    share of all; none where the recipe says so.
    """
    choice, old, new = chosen(first, Recipe())
    is_gated = gated(new, "propagation", 0.3)
    assert choice.gated.tolist() == np.flatnonzero(is_gated).tolist()
    assert len(choice.random) == len(choice.gated) > 100
    assert not is_gated[choice.random].any() and len(set(choice.random)) == len(choice.random)
    assert len(choice.rehearsal) == 2 * len(choice.gated)
    assert len(set(choice.rehearsal)) == len(choice.rehearsal)
    few, *_ = chosen(first, Recipe(random_share=0.5, rehearsal_ratio=0.0))
    assert len(few.random) == round(0.5 * len(few.gated))
    assert len(few.rehearsal) == len(old) // 10
    most, *_ = chosen(first, Recipe(random_share=99.0, rehearsal_share=0.9))
    assert len(most.random) == (~is_gated).sum()
    assert len(most.rehearsal) == len(old)  # as many as learned, and there are no more
    none, *_ = chosen(first, Recipe(random_share=0.0, is_rehearsed=False))
    assert (len(none.random), len(none.rehearsal)) == (0, 0)


def test_the_loss_data_are_those_of_the_third_index(first: TrendModel) -> None:
    """A9: the loss of each member of the first model on the gated windows, by its definition."""
    choice, _, new = chosen(first, Recipe())
    part = new.at(choice.gated)
    network = first.network
    import torch

    with torch.inference_mode():
        outputs = network(
            torch.from_numpy(part.features.inputs_WF).double(), torch.from_numpy(part.place_W)
        ).numpy()
    index = 1 / (1 + np.exp(-outputs[..., 1:]))
    truth = np.stack([part.labels.hot_W, part.labels.surge_W], axis=1)
    entropy = -np.log(np.where(truth, index, 1 - index)).sum(axis=2)
    error = network.error_MS.numpy()
    loss = ((outputs[..., 0] - part.labels.y_W) / error) ** 2 + entropy
    assert choice.loss_data_MG == pytest.approx(loss, rel=1e-4)
    _, report = update(first, old=OLD, new=NEW, **TERMS)
    assert report.loss_data_mean == pytest.approx(loss.mean(), rel=1e-4)


def test_what_the_first_model_missed_weighs_more() -> None:
    """A9: a window weighs by its loss over the mean of those that a member learns from, within
    bounds; what a member keeps apart does not count for that mean.
    """
    loss = np.array([1.0, 1.0, 2.0, 4.0, 400.0])
    may = np.array([[True] * 4 + [False], [True] * 3 + [False] * 2])
    weights = loss_weights(np.stack([loss, loss]), may)
    assert weights[0].tolist() == [0.5, 0.5, 1.0, 2.0, 2.0]
    assert weights[1].tolist() == [0.75, 0.75, 1.5, 2.0, 2.0]
    assert np.isfinite(loss_weights(np.zeros((2, 3)), np.zeros((2, 3), dtype=bool))).all()


@pytest.mark.parametrize("recipe", [FREE, Recipe()])
def test_a_member_learns_nothing_from_what_it_keeps_apart(
    first: TrendModel, recipe: Recipe
) -> None:
    """A9: with other labels of the items that a member keeps apart, its weights are the same, also
    after the step back; the other members' are not. So the guard is of items that were never met.
    """
    terms = TERMS | {"forgetting_max": 9.0}
    member_W = fold(NEW["item_id"]).member_W
    totals = NEW["fut_total"].to_numpy()
    told, _ = update(first, old=OLD, new=NEW, **terms, recipe=recipe)
    for member in (0, N_MEMBERS - 1):
        other = np.where(member_W == member, totals * 9 + 50, totals)
        changed = with_column(NEW, "fut_total", list(other))
        content, _ = update(first, old=OLD, new=changed, **terms, recipe=recipe)
        assert told is not None and content is not None
        for name, weights in member_weights(told, member).items():
            assert np.array_equal(weights, member_weights(content, member)[name]), name
        beside = (member + 1) % N_MEMBERS
        is_same = [
            np.array_equal(weights, member_weights(content, beside)[name])
            for name, weights in member_weights(told, beside).items()
        ]
        assert not all(is_same)


def test_the_recipe_forgets_less_than_naive_learning(first: TrendModel) -> None:
    """A9: on a SIMULATED drift, old windows that are rehearsed are forgotten less than where gated
    ones alone are learned; with the bound, hardly at all.
    """
    naive = Recipe(random_share=0.0, is_rehearsed=False, is_bounded=False)
    rise = {}
    for name, recipe in {"naive": naive, "unbounded": FREE, "product": Recipe()}.items():
        _, report = update(first, old=OLD, new=NEW, **TERMS, recipe=recipe)
        assert report.new_after < report.new_before
        rise[name] = report.old_after - report.old_before
    assert rise["product"] < 0.1 * rise["naive"]
    assert rise["unbounded"] < 0.7 * rise["naive"]


def test_distillation_stays_with_the_first_model(first: TrendModel) -> None:
    """A9: as far as the loss on rehearsed windows is distance from the first model, it does not
    look at their labels.
    """
    garbage = with_column(OLD, "fut_total", [9.0] * OLD.num_rows)
    for distillation, is_same in ((1.0, True), (0.5, False)):
        recipe = replace(FREE, distillation=distillation)
        once, other = (
            update(first, old=old, new=NEW, **TERMS, recipe=recipe)[0] for old in (OLD, garbage)
        )
        assert once is not None and other is not None
        pairs = [member_weights(one, 0)["heads"] for one in (once, other)]
        assert np.array_equal(*pairs) == is_same


def test_a_harmful_update_publishes_nothing(first: TrendModel) -> None:
    """A9: learned from labels that have nothing to do with their windows, the second model would
    forget: nothing is given out, and the report says why.
    """
    steady = access_windows(800, seed=4, prefix="late")
    shuffled = np.random.default_rng(0).permutation(steady["fut_total"].to_numpy())
    new = with_column(steady, "fut_total", list(shuffled))
    content, report = update(first, old=OLD, new=new, **(TERMS | {"forgetting_max": 0.0}))
    assert content is None
    assert not report.accepted
    assert report.reason.startswith("forgets too much: MSLE on old windows")
    assert report.old_after > report.old_before


def test_an_update_without_gain_publishes_nothing(first: TrendModel) -> None:
    """A9: a second model that is no better on new windows is not given out, however little it
    forgot.
    """
    content, report = update(
        first, old=OLD, new=NEW, **TERMS, recipe=Recipe(lr=0.0, weight_decay=0.0)
    )
    assert content is None
    assert report.reason.startswith("no better on new windows: MSLE")
    assert report.new_after == report.new_before


@pytest.mark.parametrize(
    ("new", "old", "terms", "reason"),
    [
        (NEW, OLD, {"preset": 1.0}, "too few windows reach the propagation preset: 0 of 20"),
        (with_column(NEW, "propagation", [None] * 800), OLD, {"preset": 0.0}, "too few windows"),
        (NEW.slice(0, 40), OLD, {"gate": "usages"}, "are in the top quarter by usages: 10 of 20"),
        (NEW.slice(0, 19), OLD, {"gate": "none"}, "too few new windows: 19 of 20"),
        (NEW.slice(0, 0), OLD, {}, "too few windows reach the propagation preset: 0"),
        (NEW, OLD.slice(0, 19), {}, "too few items to guard by: 14 old and 600 new of 20 each"),
        (NEW, OLD.slice(0, 0), {}, "too few items to guard by: 0 old"),
    ],
)
def test_too_little_to_learn_from_is_said(
    first: TrendModel, new: pa.Table, old: pa.Table, terms: dict[str, object], reason: str
) -> None:
    """A9: where no update can be made or judged, the report says why and nothing changes."""
    content, report = update(first, old=old, new=new, **(TERMS | terms))  # type: ignore[arg-type]
    assert content is None
    assert reason in report.reason
    assert (report.old_after, report.new_after) == (report.old_before, report.new_before)
    assert report.old_change == report.new_change == (0.0, 0.0)


def test_a_new_shape_leaves_the_known_ones_as_they_were(first: TrendModel) -> None:
    """A9: windows of another source are learned; before any training the forecasts of known
    windows are unchanged to the last bit, and afterwards they stay within the bound.
    """
    start, pools = begin(first, OLD, CURVED)
    features = windows_to_features(OLD)
    grown = replace(first, network=start.double().eval())
    assert np.array_equal(grown.forecast(OLD, features).y_W, first.forecast(OLD, features).y_W)
    content, report = update(first, old=OLD, new=CURVED, **(TERMS | {"gate": "none"}))
    assert content is not None and report.reason.startswith("better on new windows")
    second = load(content)
    assert [shape.shape for shape in second.profile.shapes] == [
        first.profile.shapes[0].shape,
        MONTHLY,
    ]
    assert msle_of(second, OLD) <= msle_of(first, OLD) + BOUND
    assert report.new_before == pytest.approx(guard_errors(start, pools).new, abs=1e-6)
    assert report.new_after == pytest.approx(msle_of(second, CURVED), abs=1e-4)


def test_a_new_shape_is_never_worse_than_its_linear_forecast(first: TrendModel) -> None:
    """A9: of windows that the first model could not forecast at all, a linear forecast is given
    out; it stays as it was fitted, and of the correction only as much is added as holds.
    """
    recipe = Recipe(lr=0.0, weight_decay=0.0)  # the layers know nothing of the new shape
    for chosen_recipe in (recipe, Recipe()):
        content, report = update(
            first, old=OLD, new=OTHER, **(TERMS | {"gate": "none"}), recipe=chosen_recipe
        )
        assert content is not None and report.accepted
        second = load(content)
        exam = examine(second, OTHER)
        straight = exam.kept_apart(linear_outputs(second.network, exam.features, exam.place_W))
        error = np.mean((straight - exam.labels.y_W) ** 2)
        assert report.new_before == pytest.approx(error, abs=1e-6)
        assert report.new_after <= report.new_before
        if chosen_recipe is recipe:
            features = windows_to_features(OLD)
            said = [model.forecast(OLD, features).y_W for model in (first, second)]
            assert np.array_equal(*said)


def test_the_report_tells_each_shape_and_its_interval(first: TrendModel) -> None:
    """A9: the intervals are those of the change, items drawn anew; shapes weigh alike, so that a
    large source does not hide what a small one lost.
    """
    both = pa.concat_tables([NEW, OTHER])
    content, report = update(first, old=OLD, new=both, **(TERMS | {"gate": "none"}), recipe=FREE)
    assert content is not None
    second = load(content)
    start, pools = begin(first, OLD, both)
    before, after = guard_errors(start, pools), guard_errors(second.network, pools)
    assert report.new_change == pytest.approx(
        change(pools.new, before.new_W, after.new_W), abs=1e-4
    )
    assert report.old_change == pytest.approx(
        interval(OLD["item_id"], after.old_W - before.old_W), abs=1e-4
    )
    assert [(one.n_obs, one.n_windows) for one in report.new_shapes] == [(8, 800), (2, 400)]
    for figure in ("before", "after"):
        mean = np.mean([getattr(one, figure) for one in report.new_shapes])
        assert mean == pytest.approx(getattr(report, f"new_{figure}"))
    low, high = report.new_change
    assert low < report.new_after - report.new_before < high
    for one in (*report.new_shapes, *report.old_shapes):
        assert one.change[0] < one.after - one.before < one.change[1]


def test_a_first_model_learns_to_read_the_propagation_index() -> None:
    """A9: a model from the time before propagation was known takes it up by an update."""
    unaware = with_column(OLD, "propagation", [None] * OLD.num_rows)
    first = load(fit(unaware, CONFIG, "digest")[0])
    steady = access_windows(800, seed=4, prefix="late")
    content, report = update(first, old=unaware, new=steady, **TERMS)
    assert content is not None, report.reason
    assert report.new_after < 0.85 * report.new_before
    high, low = (with_column(steady, "propagation", [value] * 800) for value in (0.8, 0.1))
    for model, is_read in ((first, False), (load(content), True)):
        said = [model.forecast(one, windows_to_features(one)).y_W.mean() for one in (high, low)]
        assert (said[0] > said[1] + 0.5) == is_read


def test_lengths_of_bins_are_those_that_were_learned_from(first: TrendModel) -> None:
    """A9: a new window of another period that was not learned from does not widen what is known."""
    days = [400.0] + [1.75] * (NEW.num_rows - 1)
    odd = with_column(NEW, "bin_days", days)
    odd = with_column(odd, "propagation", [0.0, *NEW["propagation"].to_pylist()[1:]])
    content, report = update(first, old=OLD, new=odd, **TERMS, recipe=Recipe(random_share=0.0))
    assert report.n_random == 0
    assert content is not None
    assert load(content).profile.shapes[0].bin_days == (1.75, 1.75)
