"""What of an access window goes into the network, and what is refused."""

import hashlib
import math

import numpy as np
import pyarrow as pa
import pytest

from cluster.contracts.trend import N_FUT, N_OBS
from cluster.errors import WindowInvalid
from cluster.trend.features import (
    FEATURE_NAMES,
    hold_out_mask,
    labels,
    split_windows,
    windows_to_features,
)
from tests.unit.trend.access_windows import access_windows, with_cell, with_column

ROWS = access_windows(4, seed=5)


def feature(windows: pa.Table, name: str) -> list[float]:
    column = FEATURE_NAMES.index(name)
    return windows_to_features(windows).inputs_WF[:, column].tolist()


def test_features_of_one_window_follow_their_closed_forms() -> None:
    """A6: mean clicks and mean usages go in, beside bins, weekday, age, lengths, propagation."""
    window = ROWS.slice(0, 1)
    window = with_column(window, "clicks", [[0.0, 1, 2, 3, 4, 5, 6, 11]])
    window = with_column(window, "usages", [[8.0] * N_OBS])
    window = with_column(window, "cut", [3 * 86_400.0])
    window = with_column(window, "age_days", [30.0])
    window = with_column(window, "propagation", [0.25])
    expected = {
        "log_clicks_7": math.log(12),
        "log_usages_0": math.log(9),
        "log_mean_clicks": math.log(5),
        "log_mean_usages": math.log(9),
        "weekday_sin": math.sin(2 * math.pi * 3 / 7),
        "weekday_cos": math.cos(2 * math.pi * 3 / 7),
        "log_age_days": math.log(31),
        "log_period_days": math.log(14),
        "log_horizon_days": math.log(1.75 * N_FUT),
        "propagation": 0.25,
        "propagation_known": 1.0,
        "persistence_log2": math.log2(1 + 12 * N_FUT),
    }
    found = {name: feature(window, name)[0] for name in expected}
    assert found == pytest.approx(expected, rel=1e-6)


def test_unknown_propagation_is_flagged_and_not_taken_for_zero() -> None:
    """A9: a propagation index may be missing; 0 and unknown are not the same input."""
    rows = with_cell(with_cell(ROWS, "propagation", 0, None), "propagation", 1, 0.0)
    assert feature(rows, "propagation")[:2] == [0, 0]
    assert feature(rows, "propagation_known")[:2] == [0, 1]


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("clicks", [-1.0] * N_OBS, "clicks has a count that is negative"),
        ("clicks", [math.nan] * N_OBS, "clicks has a count"),
        ("usages", [None] * N_OBS, "usages has a count"),
        ("usages", [math.inf] * N_OBS, "usages has a count"),
        ("clicks", [1.0] * (N_OBS - 1), "clicks has not 8 bins"),
        ("usages", [], "usages has not 8 bins"),
        ("n_obs", 7, "n_obs is not 8"),
        ("n_fut", 0, "n_fut is not positive"),
        ("bin_days", 0.0, "bin_days is not positive"),
        ("bin_days", math.nan, "bin_days is not positive"),
        ("age_days", -0.5, "age_days is negative"),
        ("cut", math.inf, "cut is not a number"),
        ("propagation", 1.5, "propagation is not between 0 and 1"),
        ("propagation", math.nan, "propagation is not between 0 and 1"),
    ],
)
def test_an_impossible_window_is_refused_by_name(column: str, value: object, what: str) -> None:
    """A7: what cannot be a window gives no index, and the error names the row."""
    with pytest.raises(WindowInvalid, match=what) as caught:
        windows_to_features(with_cell(ROWS, column, 2, value))
    assert ROWS["sample_id"][2].as_py() in caught.value.where


@pytest.mark.parametrize("value", [None, -1.0, math.nan, math.inf])
def test_a_label_that_is_not_known_is_refused(value: float | None) -> None:
    """A6: supervised learning takes only windows whose horizon has passed."""
    with pytest.raises(WindowInvalid, match="fut_total"):
        labels(with_cell(ROWS, "fut_total", 1, value))


def test_a_table_of_another_schema_is_refused() -> None:
    """A6: missing columns and wrong types are named before anything is computed."""
    with pytest.raises(WindowInvalid, match="no column clicks"):
        windows_to_features(ROWS.drop_columns(["clicks"]))
    wrong = ROWS.set_column(0, "sample_id", ROWS["clicks"])
    with pytest.raises(WindowInvalid, match="do not fit"):
        windows_to_features(wrong)


def test_features_do_not_depend_on_chunks_or_neighbours() -> None:
    """A7: a row's inputs are the same alone, in a slice, and in a table of many chunks."""
    rows = access_windows(50, seed=6)
    whole = windows_to_features(rows).inputs_WF
    pieces = pa.concat_tables([rows.slice(start, 7) for start in range(0, 50, 7)])
    assert np.array_equal(windows_to_features(pieces).inputs_WF, whole)
    assert np.array_equal(windows_to_features(rows.slice(20, 1)).inputs_WF, whole[20:21])
    assert windows_to_features(rows.slice(0, 0)).inputs_WF.shape == (0, len(FEATURE_NAMES))


def test_the_split_is_that_of_the_digest_of_the_item() -> None:
    """A6: items are held out by their id alone, the same in every table, and about one in five."""
    items = [f"case-{i % 700}" for i in range(1000)]
    expected = [
        int.from_bytes(hashlib.sha256(f"8:held-out{item}".encode()).digest()[:8], "big")
        < 0.2 * 2**64
        for item in items
    ]
    assert hold_out_mask(pa.array(items)).tolist() == expected
    chunked = pa.chunked_array([items[:300], items[300:]])
    assert hold_out_mask(chunked).tolist() == expected
    assert 0.15 < np.mean(expected) < 0.25
    assert hold_out_mask(pa.array(items), salt="other").tolist() != expected


def test_no_item_is_in_two_parts() -> None:
    """A6: no case is both learned from and scored on."""
    rows = access_windows(400, seed=7)
    parts = split_windows(rows)
    items = [
        set(part["item_id"].to_pylist())
        for part in (parts.training, parts.validation, parts.held_out)
    ]
    assert len(set.union(*items)) == sum(map(len, items))
    assert parts.training.num_rows + parts.validation.num_rows + parts.held_out.num_rows == 400
    with pytest.raises(WindowInvalid, match="training"):
        split_windows(rows.slice(0, 1))
