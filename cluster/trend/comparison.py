"""An update beside other ways to take the same new windows in (S540-S550, A9).

Seen are the same windows, and every way is scored on all old and all new ones, each window by the
member that keeps its item apart; no member learns from what it keeps apart. The guard stands only
before the product's way: the others are shown with whatever they forget.

Shapes: W windows.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from cluster.contracts.trend import UpdateReport
from cluster.contracts.trend_update import UpdateArm, UpdateComparison
from cluster.learning.chance import reproducible
from cluster.trend.artefact import TrendModel
from cluster.trend.fit import FitConfig, Fitting
from cluster.trend.incremental import (
    DEFAULT,
    GuardErrors,
    Pools,
    Terms,
    begin,
    change,
    gated,
    guard_errors,
    update,
)
from cluster.trend.lesson import prepare
from cluster.trend.publish import weigh_correction
from cluster.trend.rehearsal import Recipe, choose
from cluster.trend.windows import conformed

NONE: Final = "none"
NAIVE: Final = "naive"
REPLAY: Final = "replay"
DISTILLATION: Final = "distillation"
PRODUCT: Final = "product"
RETRAINED: Final = "retrained"
RIVALS: Final = {
    NAIVE: Recipe(random_share=0.0, is_rehearsed=False, is_bounded=False),
    REPLAY: Recipe(random_share=0.0, rehearsal_ratio=0.0, distillation=0.0, is_bounded=False),
    DISTILLATION: Recipe(random_share=0.0, rehearsal_ratio=0.0, is_bounded=False),
}
"""Gated windows alone; with a tenth of the old ones; the same, half by the first forecasts."""

Stopwatch = Callable[[], float]
"""Returns seconds since some instant."""


def compare(
    first: TrendModel,
    *,
    old: pa.Table,
    new: pa.Table,
    terms: Terms,
    config: FitConfig,
    stopwatch: Stopwatch,
) -> tuple[bytes | None, UpdateReport, UpdateComparison]:
    """Update a model, and compare that with other ways.

    Args:
        first: the model in use.
        old: windows with labels from which ``first`` was trained.
        new: windows with labels that came since.
        terms: of the update, and of the choice of windows in every way.
        config: how a model is trained anew.
        stopwatch: by what each way is timed.

    Returns:
        What ``update`` returns, and the comparison. Where no update can be made, only the
        product's way is beside that of doing nothing.

    Raises:
        WindowInvalid: a window is not usable or has no label, or an old one is none of the model's.
    """
    began = stopwatch()
    content, report = _updated(first, old, new, terms, DEFAULT)
    product = _arm(PRODUCT, report, stopwatch() - began)
    arms = [_unchanged(report)]
    for name, recipe in RIVALS.items():
        began = stopwatch()
        made, rival = _updated(first, old, new, terms, recipe)
        if made is not None:
            arms.append(_arm(name, rival, stopwatch() - began))
    arms.append(product)
    if len(arms) > len((NONE, PRODUCT)):
        arms.append(_retrained(first, (old, new), terms, config, stopwatch))
    comparison = UpdateComparison(
        first=first.version,
        n_old=old.num_rows,
        n_new=new.num_rows,
        seed=terms.seed,
        arms=tuple(arms),
    )
    return content, report, comparison


def _updated(
    first: TrendModel, old: pa.Table, new: pa.Table, terms: Terms, recipe: Recipe
) -> tuple[bytes | None, UpdateReport]:
    return update(
        first,
        old=old,
        new=new,
        preset=terms.preset,
        forgetting_max=terms.forgetting_max,
        seed=terms.seed,
        gate=terms.gate,
        recipe=recipe,
    )


def _unchanged(report: UpdateReport) -> UpdateArm:
    nothing = (0.0, 0.0, 0.0)
    return UpdateArm(
        name=NONE,
        n_learned=0,
        n_rehearsal=0,
        old=report.old_before,
        old_change=nothing,
        new=report.new_before,
        new_change=nothing,
        seconds=0.0,
    )


def _arm(name: str, report: UpdateReport, seconds: float) -> UpdateArm:
    return UpdateArm(
        name=name,
        n_learned=report.n_gated + report.n_random,
        n_rehearsal=report.n_rehearsal,
        old=report.old_after,
        old_change=_between(report.old_change, report.old_after - report.old_before),
        new=report.new_after,
        new_change=_between(report.new_change, report.new_after - report.new_before),
        seconds=seconds,
    )


def _retrained(
    first: TrendModel,
    windows: tuple[pa.Table, pa.Table],
    terms: Terms,
    config: FitConfig,
    stopwatch: Stopwatch,
) -> UpdateArm:
    """Train a model anew on all old windows and those new ones that the update learns from."""
    began = stopwatch()
    old, new = map(conformed, windows)
    with reproducible(terms.seed):
        start, pools = begin(first, old, new)
        before = guard_errors(start, pools)
        asked_W = gated(pools.new, terms.gate, terms.preset)
        choice = choose(start, pools.old, pools.new, asked_W, DEFAULT, terms.seed)
        chosen_W = pools.new.place_W >= pools.n_known  # of a new shape the update sees all
        chosen_W[np.concatenate([choice.gated, choice.random])] = True
        alike = replace(config, left_out=first.profile.left_out)
        after, lesson_pools = _learned_anew(old, new, new.filter(pa.array(chosen_W)), alike)
    changes = [
        _between(change(exam, one_W, other_W), other - one)
        for exam, one_W, other_W, one, other in (
            (pools.old, before.old_W, after.old_W, before.old, after.old),
            (pools.new, before.new_W, after.new_W, before.new, after.new),
        )
    ]
    return UpdateArm(
        name=RETRAINED,
        n_learned=int(chosen_W.sum()),
        n_rehearsal=len(lesson_pools.old),
        old=after.old,
        old_change=changes[0],
        new=after.new,
        new_change=changes[1],
        seconds=stopwatch() - began,
    )


def _learned_anew(
    old: pa.Table, new: pa.Table, chosen: pa.Table, config: FitConfig
) -> tuple[GuardErrors, Pools]:
    """Return the errors of a model of the old and the chosen windows, on all of them."""
    lesson = prepare(pa.concat_tables([old, chosen]), left_out=config.left_out)
    fitting = Fitting(lesson, config)
    while not fitting.finished:
        fitting.run_epoch()
    network, shapes = fitting.best_network(), fitting.lesson.shapes
    weigh_correction(network, fitting.lesson.exam, range(len(shapes)))
    earlier, later = (prepare(table, shapes, config.left_out).exam for table in (old, new))
    pools = Pools(earlier, later, shapes, len(shapes))
    return guard_errors(network, pools), pools


def _between(interval: tuple[float, float], value: float) -> tuple[float, float, float]:
    return interval[0], value, interval[1]
