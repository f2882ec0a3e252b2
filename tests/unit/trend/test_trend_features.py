"""What of an access window goes into the network, feature by feature."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cluster.contracts.trend import PLACES, WINDOWS
from cluster.trend.features import FEATURE_NAMES, N_FEATURES, windows_to_features
from tests.unit.trend.access_windows import (
    SHAPES,
    access_windows,
    mixed_windows,
    with_cell,
    with_column,
)
from tests.unit.trend.feature_forms import feature_forms

MID_JULY = 1_657_886_400.0
RISING = [0.0, 1, 2, 3, 4, 5, 6, 11]
BARE: dict[str, Any] = {
    "sample_id": "case-1@1",
    "item_id": "case-1",
    "platform": "north",
    "cut": MID_JULY,
    "bin_days": 1.75,
    "n_obs": 8,
    "n_fut": 8,
    "age_days": 30.0,
    "first_seen": 3.0,
    "clicks": RISING,
    "usages": [8.0] * 8,
    "plat_a": [0.0] * 7 + [5.0],
    "plat_b": [3.0, 1, 4, 1, 5, 9, 2, 6],
    "plat_c": None,
    "propagation": 0.25,
    "fut_total": None,
    "hot": None,
    "surge": None,
}
NONE_TOLD = dict.fromkeys(("cut", "age_days", "propagation", "first_seen", *PLACES))
WINDOWS_BY_HAND: dict[str, dict[str, Any]] = {
    "full": {},
    "one bin": {"n_obs": 1, "clicks": [7.0], "usages": [2.0], "plat_a": [9.0], "plat_b": None},
    "one silent bin": {
        "n_obs": 1,
        "clicks": [0.0],
        "usages": None,
        "plat_a": None,
        "plat_b": [0.0],
    },
    "two bins": {"n_obs": 2, "n_fut": 3, "clicks": [402.0, 83.0], "usages": [173.0, 35.0]}
    | {"plat_a": None, "plat_b": None},
    "36 bins": {"n_obs": 36, "n_fut": 108, "clicks": None, "first_seen": 30.0}
    | {"usages": [0.0] * 30 + [5.0, 0, 17, 1, 0, 0], "plat_a": [1.0] * 36, "plat_b": None},
    "no usages": {"usages": None},
    "silent": {"clicks": [0.0] * 8, "usages": [0.0] * 8, "plat_a": [0.0] * 8},
    "seen after its end": {"first_seen": 11.0},
    "propagation of zero": {"propagation": 0.0},
    "nothing else told": NONE_TOLD,
    "large": {"clicks": [2.0**52] * 8, "usages": [0.0] * 8},
}


def table_of(*windows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([BARE | window for window in windows], schema=WINDOWS)


def by_name(windows: pa.Table, row: int = 0) -> dict[str, float]:
    inputs_F = windows_to_features(windows).inputs_WF[row].tolist()
    return dict(zip(FEATURE_NAMES, inputs_F, strict=True))


@pytest.mark.parametrize("name", WINDOWS_BY_HAND)
def test_each_feature_of_a_window_follows_its_own_form(name: str) -> None:
    """A6: every column holds what its name says, computed anew without arrays."""
    window = BARE | WINDOWS_BY_HAND[name]
    expected, found = feature_forms(window), by_name(table_of(window))
    assert set(found) == set(expected)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)


def test_features_that_a_reader_can_check_by_eye() -> None:
    """A6: mean clicks and usages, places, calendar and propagation of one window, as numbers."""
    found = by_name(table_of({}))
    expected = {
        "log_total_clicks": 5.0444,  # log2(1 + 32)
        "log_clicks_0": 0.0,
        "log_clicks_11": math.log2(12),
        "log_accesses_11": math.log2(20),
        "persistence_log2": math.log2(1 + 12 * 8),
        "log_ahead_if_last_bin": math.log2(1 + 19 * 8),
        "log_share_since_first_seen": math.log2(5 / 8),
        "plat_a_log_last": math.log2(6),
        "plat_b_is_used": 1.0,
        "is_month_07": 1.0,
        "is_month_08": 0.0,
        "log_age_days": math.log(31),
        "log_period_days": math.log(14),
        "propagation": 0.25,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert math.isnan(found["plat_c_log_total"])


def test_unknown_is_neither_zero_nor_the_same_as_zero() -> None:
    """A9: a source that tells no propagation, usages or places is not one without any."""
    told, untold = by_name(table_of({"propagation": 0.0})), by_name(table_of({"propagation": None}))
    assert (told["propagation"], told["propagation_known"]) == (0, 1)
    assert math.isnan(untold["propagation"])
    assert untold["propagation_known"] == 0
    silent, mute = by_name(table_of({"usages": [0.0] * 8})), by_name(table_of({"usages": None}))
    assert silent["log_total_usages"] == 0
    assert math.isnan(mute["log_total_usages"])
    assert mute["log_total_accesses"] == silent["log_total_accesses"]


def test_every_name_is_there_once() -> None:
    """A6: a model's bytes name its features; no two share a name."""
    assert len(set(FEATURE_NAMES)) == N_FEATURES == len(feature_forms(BARE))


def test_rows_of_several_shapes_keep_their_places() -> None:
    """A6: in a mixed table each row has its own features, means, shape and lengths."""
    windows = mixed_windows(20, seed=4)
    found = windows_to_features(windows)
    assert found.shapes == SHAPES
    for row, window in enumerate(windows.to_pylist()):
        expected = feature_forms(window)
        row_F = dict(zip(FEATURE_NAMES, found.inputs_WF[row].tolist(), strict=True))
        assert row_F == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)
        assert found.shapes[found.shape_W[row]] == (window["n_obs"], window["n_fut"])
        assert found.clicks_mean_W[row] == pytest.approx(np.mean(window["clicks"] or [0.0]))
        assert found.usages_mean_W[row] == pytest.approx(np.mean(window["usages"] or [0.0]))
        assert found.bin_days_W[row] == window["bin_days"]
        assert found.persistence_log2_W[row] == pytest.approx(expected["persistence_log2"])
    propagation = windows["propagation"].to_numpy()
    assert np.array_equal(found.propagation_W, propagation, equal_nan=True)


def test_features_do_not_depend_on_chunks_or_neighbours() -> None:
    """A7: a row's inputs are the same alone, in a slice, and in a table of many chunks."""
    rows = mixed_windows(20, seed=6)
    whole = windows_to_features(rows).inputs_WF
    pieces = pa.concat_tables([rows.slice(start, 7) for start in range(0, 60, 7)])
    assert np.array_equal(windows_to_features(pieces).inputs_WF, whole, equal_nan=True)
    for row in range(0, 60, 7):
        alone = windows_to_features(rows.slice(row, 1)).inputs_WF[0]
        np.testing.assert_allclose(alone, whole[row], rtol=1e-6)
    empty = windows_to_features(rows.slice(0, 0))
    assert (empty.inputs_WF.shape, empty.shapes) == ((0, N_FEATURES), ())


def test_what_came_after_is_not_looked_at() -> None:
    """A7: with other labels, or none, the features are bit for bit the same."""
    rows = access_windows(30, seed=5)
    changed = with_column(rows, "fut_total", [None] * 30)
    changed = with_cell(with_cell(changed, "hot", 3, value=True), "surge", 4, value=True)
    before, after = (windows_to_features(windows).inputs_WF for windows in (rows, changed))
    assert np.array_equal(before, after, equal_nan=True)
