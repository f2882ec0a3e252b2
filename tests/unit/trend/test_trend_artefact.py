"""A trend model as bytes, and what it predicts."""

import pickle
from functools import cache

import numpy as np
import pytest
import torch

from cluster.errors import IntegrityError, WindowInvalid
from cluster.ids import sha256
from cluster.learning.chance import reproducible
from cluster.learning.sealed import pack, unpack
from cluster.trend.artefact import Profile, TrendModel, load, member_outputs, save
from cluster.trend.calibration import Calibration
from cluster.trend.features import FEATURE_NAMES, windows_to_features
from cluster.trend.fit import start_network
from cluster.trend.lesson import prepare
from cluster.trend.network import HOT, SURGE, TrendNetwork, TrendNetworkConfig, Y
from cluster.trend.windows import Shape
from tests.unit.trend.access_windows import (
    LONG,
    MONTHLY,
    SHAPES,
    access_windows,
    mixed_windows,
    with_cell,
    with_column,
)

ROWS = mixed_windows(120, seed=3)


@cache
def network(width: int = 8, depth: int = 2) -> TrendNetwork:
    with reproducible(0), torch.no_grad():
        made = start_network(prepare(ROWS), TrendNetworkConfig(width=width, depth=depth))
        made.heads.add_(0.1 * torch.randn_like(made.heads))
        made.share_S.copy_(torch.tensor([1.0, 0.5, 0.0]))
    return made


def profile() -> Profile:
    hot, surge = Calibration(slope=1.5, bias=-0.25), Calibration(slope=0.5, growth_slope=0.1)
    shapes = [
        known.model_copy(update={"hot": hot, "surge": surge}) for known in prepare(ROWS).shapes
    ]
    return Profile(role="second", parent="a" * 64, seed=7, shapes=tuple(shapes))


@cache
def content() -> bytes:
    return save(network(), profile())


@cache
def model() -> TrendModel:
    return load(content())


def test_a_model_comes_back_as_it_was() -> None:
    """A6: a version is its bytes; the same weights give the same bytes, on any depth and width."""
    assert model().profile == profile()
    assert model().version == sha256(content())
    assert model().network.config == TrendNetworkConfig(width=8, depth=2)
    assert save(network(), profile()) == content()
    assert save(model().trainable_network(), model().profile) == content()
    assert save(network(depth=1), profile()) != content()
    assert load(save(network(width=5, depth=4), profile())).network.config.depth == 4
    assert not model().network.training


@pytest.mark.parametrize("what", ["empty", "head", "cut", "longer", "pickle"])
def test_what_is_not_a_model_is_refused(what: str) -> None:
    """A6: nothing but sealed safetensors is read, and no code is ever run."""
    whole = content()
    parts = {"empty": b"", "head": whole[:100], "cut": whole[:-1], "longer": whole + b"x"}
    with pytest.raises(IntegrityError, match="damaged"):
        load(parts.get(what, pickle.dumps({"weights": [1.0]})))


def test_a_model_of_another_format_or_other_features_is_refused() -> None:
    """A6: sealed bytes that are not a trend model of these features do not become one."""
    tensors, about = unpack(content())
    assert about["features"] == list(FEATURE_NAMES)
    for change in (
        {"format": "dazzle-trend/1"},
        {"format": None},
        {"features": list(FEATURE_NAMES[::-1])},
    ):
        with pytest.raises(IntegrityError, match="not a dazzle-trend"):
            load(pack(tensors, about | change))


def test_parts_that_do_not_fit_together_are_refused() -> None:
    """A6: sealed bytes whose weights, shapes or settings contradict each other are no model."""
    tensors, about = unpack(content())
    fewer = {name: tensor for name, tensor in tensors.items() if name != "level"}
    two_shapes = about["profile"] | {"shapes": about["profile"]["shapes"][:2]}
    for parts in (
        (fewer, about),
        (tensors, about | {"network": about["network"] | {"width": 16}}),
        (tensors, about | {"network": about["network"] | {"width": 0}}),
        (tensors, about | {"network": {"heads": 3}}),
        (tensors, about | {"profile": two_shapes}),
        (tensors, about | {"profile": about["profile"] | {"role": "third"}}),
        (tensors, {name: part for name, part in about.items() if name != "profile"}),
    ):
        with pytest.raises(IntegrityError, match="do not fit together"):
            load(pack(*parts))


def test_a_forecast_is_the_calibrated_mean_of_the_members() -> None:
    """A7: y, prediction index and surge of every window, by hand, with its shape's calibration."""
    features = windows_to_features(ROWS)
    outputs_MWO = member_outputs(network(), features, features.shape_W)
    y_W, hot_W, surge_W = (outputs_MWO.mean(axis=0)[:, output] for output in (Y, HOT, SURGE))
    found = model().predict(ROWS)
    for row, prediction in enumerate(found):
        assert prediction.log_growth == pytest.approx(max(y_W[row], 0.0), abs=1e-6)
        index = 1 / (1 + np.exp(0.25 - 1.5 * hot_W[row]))
        assert prediction.index == pytest.approx(index, abs=1e-6)
        surge = 1 / (1 + np.exp(-0.5 * surge_W[row] - 0.1 * y_W[row]))
        assert prediction.surge == pytest.approx(surge, abs=1e-6)


def test_a_correction_counts_by_its_share() -> None:
    """A6: with a share of 0 the linear model stands alone; of 1 the correction counts wholly."""
    features = windows_to_features(ROWS)
    whole, none = TrendNetwork(network().config, 3), TrendNetwork(network().config, 3)
    for made, share in ((whole, 1.0), (none, 0.0)):
        made.load_state_dict(network().state_dict() | {"share_S": torch.full((3,), share)})
    y_SMW = [
        member_outputs(each, features, features.shape_W)[..., Y]
        for each in (none, network(), whole)
    ]
    shares_W = np.array([1.0, 0.5, 0.0])[features.shape_W]
    assert y_SMW[1] == pytest.approx(y_SMW[0] + shares_W * (y_SMW[2] - y_SMW[0]), abs=1e-9)


def test_no_forecast_is_below_no_accesses() -> None:
    """A7: where the members' mean would be negative, none are forecast."""
    features = windows_to_features(ROWS)
    sunk = TrendNetwork(network().config, 3)
    sunk.load_state_dict(network().state_dict() | {"level": network().level - 7.0})
    raw_W = member_outputs(sunk, features, features.shape_W)[..., Y].mean(axis=0)
    found_W = load(save(sunk, profile())).forecast(ROWS, features).y_W
    assert raw_W.min() < 0 < raw_W.max()
    assert found_W == pytest.approx(np.maximum(raw_W, 0))


def test_a_prediction_says_what_it_was_made_from() -> None:
    """A7: the index carries the version, the mean clicks and usages, and a digest of the inputs."""
    row = access_windows(1, seed=9)
    found = model().predict(row)[0]
    assert found.model_version == sha256(content())
    assert (found.item_id, found.sample_id) == ("case-0", "case-0@0")
    assert found.clicks == np.mean(row["clicks"][0].as_py())
    assert found.usages == np.mean(row["usages"][0].as_py())
    later = with_cell(with_cell(row, "fut_total", 0, None), "hot", 0, value=True)
    assert model().predict(later)[0] == found
    changes = {"age_days": 1.0, "propagation": None, "clicks": [9.0] * 8, "platform": "south"}
    for name, value in changes.items():
        changed = model().predict(with_cell(row, name, 0, value))[0]
        assert changed.inputs_digest != found.inputs_digest


def test_windows_of_another_shape_are_refused_by_name() -> None:
    """A7: a model does not forecast a period or a horizon that it never learned from."""
    for shape in (Shape(8, 3), Shape(2, 8), Shape(1, 1)):
        rows = access_windows(3, seed=1, shape=shape, prefix="alien")
        mixed = with_column(access_windows(3, seed=1), "n_fut", [8, 8, 8])
        assert not model().covers(windows_to_features(rows)).any()
        with pytest.raises(WindowInvalid, match="trained for other windows") as caught:
            model().predict(rows)
        assert caught.value.where == "window 'alien-0@0', row 0"
        assert "2 bins seen, 3 forecast" in caught.value.what
        assert len(model().predict(mixed)) == 3


@pytest.mark.parametrize(
    ("bin_days", "is_covered"),
    [(1.41, True), (1.39, False), (2.18, True), (2.2, False), (1.75, True)],
)
def test_bins_much_longer_or_shorter_than_learned_are_refused(
    bin_days: float, is_covered: bool
) -> None:
    """A7: a bin may be a quarter longer or shorter than any that was learned from, no more."""
    rows = with_cell(access_windows(3, seed=1), "bin_days", 1, bin_days)
    covered = model().covers(windows_to_features(rows))
    assert covered.tolist() == [True, is_covered, True]
    if not is_covered:
        with pytest.raises(WindowInvalid, match="trained for other windows") as caught:
            model().predict(rows)
        assert caught.value.where == "window 'case-0@1', row 1"


def test_each_shape_has_its_own_lengths_of_bins() -> None:
    """A7: months are no bins of a platform's window, though both were learned from."""
    assert [known.shape for known in model().profile.shapes] == list(SHAPES)
    for shape, bin_days in ((MONTHLY, 1.75), (LONG, 30.0)):
        rows = with_column(access_windows(2, seed=1, shape=shape), "bin_days", [bin_days] * 2)
        assert not model().covers(windows_to_features(rows)).any()


def test_no_windows_give_no_predictions() -> None:
    """A7: an empty table is answered with nothing, and torch's settings stay as they were."""
    state = torch.get_rng_state()
    assert model().predict(ROWS.slice(0, 0)) == []
    assert model().forecast(ROWS.slice(0, 0), windows_to_features(ROWS.slice(0, 0))).y_W.size == 0
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(value: float) -> None:
    """A7: a model that could only forecast nonsense never serves, however well it is sealed."""
    tensors, about = unpack(content())
    broken = tensors | {"heads": torch.full_like(tensors["heads"], value)}
    with pytest.raises(IntegrityError, match="finite"):
        load(pack(broken, about))
    with pytest.raises(IntegrityError, match="finite"):
        load(pack(tensors | {"level": tensors["level"].int()}, about))
    with pytest.raises(IntegrityError, match="do not fit"):
        load(pack(tensors, about | {"profile": about["profile"] | {"left_out": ["nonsense"]}}))
    deep = about["network"] | {"depth": 200_000}
    with pytest.raises(IntegrityError, match="do not fit"):
        load(pack(tensors, about | {"network": deep}))
