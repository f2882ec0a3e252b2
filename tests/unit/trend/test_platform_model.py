"""A trend model made ready for windows of platforms says the same, faster."""

from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
import torch

from cluster.learning.chance import reproducible
from cluster.trend.artefact import DECIMALS, Profile, TrendModel, load, save
from cluster.trend.calibration import Calibration
from cluster.trend.features import CALENDAR, FEATURE_NAMES
from cluster.trend.fit import start_network
from cluster.trend.lesson import prepare
from cluster.trend.network import TrendNetworkConfig
from cluster.trend.platform_model import GROUPS, PlatformModel
from tests.unit.trend.access_windows import MONTHLY, access_windows, mixed_windows, with_column

ROWS = mixed_windows(120, seed=3)


def made(rows: pa.Table, width: int = 8, depth: int = 2) -> TrendModel:
    """A model that was never trained, whose parts all count."""
    lesson = prepare(rows)
    with reproducible(0), torch.no_grad():
        network = start_network(lesson, TrendNetworkConfig(width=width, depth=depth))
        for each in (network.heads, network.label_slope, network.head_bias, *network.block_biases):
            each.add_(0.1 * torch.randn_like(each))
        network.share_S.copy_(torch.linspace(0.4, 1.0, network.n_shapes))
    hot = Calibration(slope=1.5, growth_slope=0.3, bias=-0.25)
    shapes = tuple(known.model_copy(update={"hot": hot}) for known in lesson.shapes)
    return load(save(network, Profile(role="first", seed=7, shapes=shapes)))


@cache
def mixed() -> TrendModel:
    return made(ROWS)


def asked(n: int) -> pa.Table:
    """Windows of a platform, some of which tell little."""
    windows = access_windows(n, seed=8)
    for number, name in enumerate(("propagation", "age_days", "cut", "clicks")):
        told = windows[name].to_pylist()
        windows = with_column(
            windows, name, [None if row % 7 == number else value for row, value in enumerate(told)]
        )
    return windows


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 1000])
def test_forecasts_are_those_of_the_model(n: int) -> None:
    """A7: index, surge and growth agree to 12 digits before they are rounded, and all after."""
    windows = asked(n)
    ready = PlatformModel.of(mixed())
    features = ready.features(windows)
    said, exact = ready.forecast(features), mixed().forecast(windows, features)
    assert ready.covers(features).all()
    for name in ("y_W", "hot_W", "surge_W"):
        whole = np.round(getattr(exact, name), DECIMALS)
        assert getattr(said, name) == pytest.approx(whole, abs=1e-12)
    outputs = ready._outputs(features)
    again = np.concatenate(
        [
            ready._outputs(replace(features, inputs_WF=features.inputs_WF[r : r + 1]))
            for r in range(n)
        ]
        or [outputs]
    )
    assert outputs == pytest.approx(again, abs=1e-12)
    if n == 1000:
        assert len(set(said.hot_W.tolist())) > 500


@pytest.mark.parametrize(("width", "depth"), [(5, 1), (64, 3)])
def test_any_form_of_network_is_taken(width: int, depth: int) -> None:
    """A7: width and depth are the model's own, and features that never varied are left out."""
    rows = with_column(access_windows(100, seed=2), "cut", [None] * 100)
    model = made(rows, width, depth)
    ready = PlatformModel.of(model)
    windows = asked(50)
    features = ready.features(windows)
    exact = np.round(model.forecast(windows, features).hot_W, DECIMALS)
    assert ready.forecast(features).hot_W == pytest.approx(exact, abs=1e-12)


def test_a_month_that_was_not_learned_is_as_the_average() -> None:
    """A7: a cut in a month without training windows is read as in the whole model."""
    january = [1.7358e9] * 100
    model = made(with_column(access_windows(100, seed=2), "cut", [*january[:50], *[1.75e9] * 50]))
    ready = PlatformModel.of(model)
    windows = with_column(access_windows(3, seed=1), "cut", [1.7358e9, 1.75e9, 1.76e9])
    features = ready.features(windows)
    exact = np.round(model.forecast(windows, features).hot_W, DECIMALS)
    assert ready.forecast(features).hot_W == pytest.approx(exact, abs=1e-12)
    without = features.inputs_WF.copy()
    without[:, [FEATURE_NAMES.index(name) for name in CALENDAR]] = np.nan
    average = ready.forecast(replace(features, inputs_WF=without)).hot_W
    assert ready.forecast(features).hot_W[2] == average[2]


def test_a_model_of_other_windows_covers_none() -> None:
    """A7: a model that never met a platform's windows is no error until it is asked."""
    ready = PlatformModel.of(made(access_windows(100, seed=2, shape=MONTHLY)))
    assert not ready.covers(ready.features(asked(4))).any()


def test_every_input_is_in_one_group() -> None:
    """A13: what moved an index is told of all that goes in, and of nothing twice."""
    places = [place for group in GROUPS.values() for place in group]
    assert sorted(places) == list(range(len(FEATURE_NAMES)))
    assert {"accesses", "clicks", "usages", "places", "propagation", "age"} <= GROUPS.keys()


def test_what_is_not_told_moves_nothing() -> None:
    """A13: an input that is read as the average has no part; one that is not may have one."""
    ready = PlatformModel.of(mixed())
    windows = asked(70)
    features = ready.features(windows)
    moved = ready.moved(features)
    is_told = np.isfinite(features.propagation_W)
    of_propagation = [FEATURE_NAMES.index(name) for name in ("propagation", "propagation_known")]
    assert GROUPS["propagation"] == of_propagation
    assert np.abs(moved["propagation"][is_told]).max() > 0
    assert (moved["places"] == 0).all()  # these windows tell none


def test_what_moved_an_index_is_its_difference_to_the_average_window() -> None:
    """A13: by hand, with a group's features at the means that the model learned."""
    ready = PlatformModel.of(mixed())
    features = ready.features(asked(70))
    means_F = mixed().network.mean_SF[ready.place].detach().numpy()
    moved = ready.moved(features)
    for group in ("recent_accesses", "age", "usages"):
        average = features.inputs_WF.copy()
        average[:, GROUPS[group]] = means_F[GROUPS[group]]
        without = ready.forecast(replace(features, inputs_WF=average)).hot_W
        index = ready.forecast(features).hot_W
        assert moved[group] == pytest.approx(index - without, abs=1e-5)
        assert np.abs(moved[group]).max() > 1e-3
