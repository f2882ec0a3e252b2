"""A trend model as bytes, and what it predicts."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.errors import IntegrityError, SettingInvalid
from cluster.ids import sha256
from cluster.trend.artefact import Calibration, Profile, load, pack, save
from cluster.trend.features import N_FEATURES, labels, windows_to_features
from cluster.trend.network import TrendNetwork, TrendNetworkConfig
from tests.unit.trend.access_windows import access_windows, with_cell, with_column

ROWS = access_windows(300, seed=3)
PROFILE = Profile(
    role="second",
    parent="a" * 64,
    seed=7,
    calibration=Calibration(slope=1.5, bias=-0.25),
    hot_threshold_log2=8.0,
    period_days=(7.0, 14.0),
)


def network(width: int = 16, depth: int = 3) -> TrendNetwork:
    torch.manual_seed(0)
    made = TrendNetwork(TrendNetworkConfig(width=width, depth=depth))
    made.initialise(windows_to_features(ROWS).inputs_WF, labels(ROWS), 8.0)
    torch.nn.init.normal_(made.heads.weight, std=0.1)
    return made


CONTENT = save(network(), PROFILE)
MODEL = load(CONTENT)


def test_a_model_comes_back_as_it_was() -> None:
    """A6: a version is its bytes; the same weights give the same bytes, on any depth and width."""
    assert MODEL.profile == PROFILE
    assert MODEL.version == sha256(CONTENT)
    assert MODEL.network.config == TrendNetworkConfig(width=16, depth=3)
    assert save(network(), PROFILE) == CONTENT
    assert save(MODEL.trainable_network(), PROFILE) == CONTENT
    assert save(network(depth=1), PROFILE) != CONTENT


@settings(deadline=None, max_examples=80)
@given(position=st.integers(0, len(CONTENT) - 1), bit=st.integers(0, 7))
def test_one_changed_bit_is_found(position: int, bit: int) -> None:
    """A6: a damaged model is not loaded, wherever the damage is."""
    damaged = bytearray(CONTENT)
    damaged[position] ^= 1 << bit
    with pytest.raises(IntegrityError):
        load(bytes(damaged))


@pytest.mark.parametrize(
    "content",
    [b"", CONTENT[:100], CONTENT[:-1], CONTENT + b"x", pickle.dumps({"weights": [1.0]})],
    ids=["empty", "head", "cut", "longer", "pickle"],
)
def test_what_is_not_a_model_is_refused(content: bytes) -> None:
    """A6: nothing but sealed safetensors is read, and no code is ever run."""
    with pytest.raises(IntegrityError):
        load(content)


def test_a_model_of_another_format_is_refused() -> None:
    """A6: sealed bytes that are not a trend model of these features do not become one."""
    with pytest.raises(IntegrityError, match="not a dazzle-trend"):
        load(pack(network().state_dict(), {"format": "dazzle-trend/1", "features": ["other"]}))


def test_a_prediction_does_not_depend_on_its_neighbours() -> None:
    """A7: the same window gives the same answer alone, in any order and in any batch."""
    whole = MODEL.predict(ROWS)
    assert [p for row in range(40) for p in MODEL.predict(ROWS.slice(row, 1))] == whole[:40]
    order = np.random.default_rng(0).permutation(ROWS.num_rows)
    shuffled = MODEL.predict(ROWS.take(order))
    assert shuffled == [whole[row] for row in order]
    assert MODEL.predict(ROWS.slice(0, 0)) == []


def test_a_prediction_says_what_it_was_made_from() -> None:
    """A7: the index carries the version, the mean clicks and usages, and a digest of the inputs."""
    row = ROWS.slice(0, 1)
    found = MODEL.predict(row)[0]
    y, logit = MODEL.outputs(windows_to_features(row).inputs_WF)
    assert found.model_version == sha256(CONTENT)
    assert (found.item_id, found.sample_id) == (
        row["item_id"][0].as_py(),
        row["sample_id"][0].as_py(),
    )
    assert found.clicks == np.mean(row["clicks"][0].as_py())
    assert found.usages == np.mean(row["usages"][0].as_py())
    assert found.log_growth == pytest.approx(y[0], abs=1e-6)
    assert found.index == pytest.approx(1 / (1 + np.exp(0.25 - 1.5 * logit[0])), abs=1e-6)


def test_the_digest_is_of_the_inputs_and_nothing_else() -> None:
    """A7: what will come after is not an input; each thing that is changes the digest."""
    first = MODEL.predict(ROWS.slice(0, 1))[0]
    later = with_cell(ROWS.slice(0, 1), "fut_total", 0, None)
    assert MODEL.predict(later)[0] == first
    changes = {"age_days": 1.0, "propagation": None, "clicks": [9.0] * 8, "platform": "south"}
    for name, value in changes.items():
        changed = MODEL.predict(with_cell(ROWS.slice(0, 1), name, 0, value))[0]
        assert changed.inputs_digest != first.inputs_digest


def test_a_feature_that_never_varied_does_not_move_a_forecast() -> None:
    """A6: a period length that was never seen to vary is not extrapolated from."""
    longer = with_column(ROWS, "bin_days", [4.0] * ROWS.num_rows)
    was, now = (MODEL.outputs(windows_to_features(rows).inputs_WF)[0] for rows in (ROWS, longer))
    assert np.array_equal(was, now)


def test_opening_an_input_changes_no_forecast_until_it_is_learned() -> None:
    """A9: propagation indexes can join a model that never saw them."""
    unaware = windows_to_features(with_column(ROWS, "propagation", [None] * ROWS.num_rows))
    aware = windows_to_features(ROWS)
    made = network()
    made.initialise(unaware.inputs_WF, labels(ROWS), 8.0)
    before = load(save(made, PROFILE)).outputs(aware.inputs_WF)
    made.open_inputs(aware.inputs_WF)
    opened = load(save(made, PROFILE))
    assert np.allclose(before, opened.outputs(aware.inputs_WF), atol=1e-5)
    assert (made.inverse_scale_F > 0).sum() > 0
    made.zero_grad()
    y, _ = made(torch.from_numpy(aware.inputs_WF))
    torch.autograd.backward(y.sum())
    assert made.linear.weight.grad is not None
    assert made.linear.weight.grad[0, N_FEATURES - 3] != 0


@pytest.mark.parametrize("change", [{"width": 0}, {"depth": 0}, {"dropout": 1.0}])
def test_a_shape_that_cannot_be_built_is_refused(change: dict[str, int]) -> None:
    """B8: depth and width are configuration, within what can be built."""
    with pytest.raises(SettingInvalid, match="trend network"):
        TrendNetworkConfig(**change)
