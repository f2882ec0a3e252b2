"""An update beside other ways to take new windows in."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import pyarrow as pa
import pytest

from cluster.contracts.trend import UpdateReport
from cluster.contracts.trend_update import UpdateComparison
from cluster.trend.artefact import TrendModel, load
from cluster.trend.comparison import NAIVE, NONE, PRODUCT, RETRAINED, RIVALS, compare
from cluster.trend.fit import FitConfig
from cluster.trend.incremental import Terms, update
from cluster.trend.network import TrendNetworkConfig
from cluster.trend.publish import fit
from tests.unit.trend.access_windows import MONTHLY, access_windows, with_column

OLD = access_windows(400, seed=1)
NEW = access_windows(400, seed=2, growth=2.0, prefix="late")
CONFIG = FitConfig(network=TrendNetworkConfig(width=8), epochs_max=3, seed=1)
TERMS = Terms(preset=0.3, forgetting_max=0.015, seed=4)
Compared = tuple[bytes | None, UpdateReport, UpdateComparison]


def compared(first: TrendModel, *, new: pa.Table = NEW, terms: Terms = TERMS) -> Compared:
    ticks: Iterator[int] = count()
    return compare(
        first,
        old=OLD,
        new=new,
        terms=terms,
        config=CONFIG,
        stopwatch=lambda: float(next(ticks)),
    )


@pytest.fixture(scope="module")
def first() -> TrendModel:
    return load(fit(OLD, CONFIG, "digest")[0])


@pytest.fixture(scope="module")
def found(first: TrendModel) -> Compared:
    return compared(first)


def test_the_products_way_is_the_update_itself(first: TrendModel, found: Compared) -> None:
    """A9: the comparison gives out the model and report of the update alone, and shows them."""
    content, report, comparison = found
    alone = update(first, old=OLD, new=NEW, preset=0.3, forgetting_max=0.015, seed=4)
    assert (content, report) == alone
    arm = {one.name: one for one in comparison.arms}[PRODUCT]
    assert (arm.old, arm.new) == (report.old_after, report.new_after)
    assert arm.new_change[0::2] == report.new_change
    assert arm.n_learned == report.n_gated + report.n_random
    assert (comparison.first, comparison.n_old, comparison.n_new) == (first.version, 400, 400)


def test_every_way_is_scored_on_the_same_windows(found: Compared) -> None:
    """A9: beside no update stand naive learning, replay, distillation and full retraining; each
    tells both errors, the interval of each change, what it learned from and how long it took.
    """
    _, report, comparison = found
    arms = {one.name: one for one in comparison.arms}
    assert list(arms) == [NONE, *RIVALS, PRODUCT, RETRAINED]
    for name, arm in arms.items():
        before, after = report.old_before, arm.old
        assert arm.old_change[1] == pytest.approx(after - before, abs=1e-12)
        assert arm.new_change[1] == pytest.approx(arm.new - report.new_before, abs=1e-12)
        for low, value, high in (arm.old_change, arm.new_change):
            assert low <= value <= high
        assert arm.seconds == (0.0 if name == NONE else 1.0)
    assert [arms[name].n_rehearsal for name in RIVALS] == [0, 40, 40]
    assert {arms[name].n_learned for name in RIVALS} == {report.n_gated}
    assert arms[RETRAINED].n_learned == arms[PRODUCT].n_learned
    assert arms[RETRAINED].n_rehearsal == OLD.num_rows
    assert arms[PRODUCT].old < arms[NAIVE].old


def test_retraining_keeps_items_apart_too(first: TrendModel, found: Compared) -> None:
    """A9: with other labels of all new windows that full retraining does not learn from, its error
    on old ones is the same to the last bit.
    """
    from cluster.trend.incremental import begin, gated
    from cluster.trend.rehearsal import Recipe, choose

    start, pools = begin(first, OLD, NEW)
    mask = gated(pools.new, TERMS.gate, TERMS.preset)
    choice = choose(start, pools.old, pools.new, mask, Recipe(), TERMS.seed)
    rest = np.ones(NEW.num_rows, dtype=bool)
    rest[np.concatenate([choice.gated, choice.random])] = False
    assert 0 < rest.sum() < NEW.num_rows
    totals = NEW["fut_total"].to_numpy()
    garbled = with_column(NEW, "fut_total", list(np.where(rest, totals * 9 + 3, totals)))
    again = compared(first, new=garbled)[2].arms[-1]
    before = found[2].arms[-1]
    assert again.name == before.name == RETRAINED
    assert again.old == before.old
    assert again.new > before.new


def test_a_new_shape_is_compared_as_well(first: TrendModel) -> None:
    """A9: windows of a source that the first model has not met go through every way."""
    other = access_windows(300, seed=3, prefix="month", shape=MONTHLY)
    terms = Terms(preset=0.3, forgetting_max=0.015, seed=4, gate="usages")
    _, _, comparison = compared(first, new=other, terms=terms)
    assert len(comparison.arms) == 6
    assert comparison.arms[-1].n_learned == 300  # the update's linear forecast has seen all
    assert comparison.arms[-1].new < 2.0


def test_where_nothing_can_be_learned_nothing_is_compared(first: TrendModel) -> None:
    """A9: with too few gated windows only doing nothing and the refused update are told."""
    terms = Terms(preset=1.0, forgetting_max=0.015, seed=4)
    content, report, comparison = compared(first, terms=terms)
    assert content is None and "too few windows" in report.reason
    none, product = comparison.arms
    assert (none.name, product.name) == (NONE, PRODUCT)
    assert (none.old, none.new) == (product.old, product.new)
