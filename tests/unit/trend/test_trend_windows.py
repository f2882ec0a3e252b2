"""Which tables are access windows, and how a row that is none is named."""

import math

import numpy as np
import pyarrow as pa
import pytest

from cluster.contracts.trend import N_OBS
from cluster.errors import WindowInvalid
from cluster.trend.artefact import input_digests
from cluster.trend.features import windows_to_features
from cluster.trend.windows import BINS_MAX, conformed, histories, shapes_of
from tests.unit.trend.access_windows import (
    SHAPES,
    access_windows,
    mixed_windows,
    with_cell,
    with_column,
)

ROWS = access_windows(4, seed=5)


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("clicks", [-1.0] * N_OBS, "clicks has a count that is negative"),
        ("clicks", [math.nan] * N_OBS, "clicks has a count"),
        ("clicks", [2.0**53 + 2] * N_OBS, "clicks has a count"),
        ("usages", [None] * N_OBS, "usages has a count"),
        ("usages", [math.inf] * N_OBS, "usages has a count"),
        ("plat_b", [0.0] * 7 + [-1.0], "plat_b has a count"),
        ("plat_c", [1.0], "plat_c has not n_obs = 8 bins"),
        ("clicks", [1.0] * (N_OBS - 1), "clicks has not n_obs = 8 bins"),
        ("usages", [], "usages has not n_obs = 8 bins"),
        ("n_obs", 0, "n_obs or n_fut is not between 1"),
        ("n_obs", 7, "clicks has not n_obs = 7 bins"),
        ("n_fut", -3, "n_obs or n_fut is not between 1"),
        ("n_fut", BINS_MAX + 1, "n_obs or n_fut is not between 1"),
        ("bin_days", 0.0, "bin_days is not positive"),
        ("bin_days", math.nan, "bin_days is not positive"),
        ("bin_days", math.inf, "bin_days is not positive"),
        ("age_days", -0.5, "age_days is negative"),
        ("age_days", math.nan, "age_days is not a number"),
        ("first_seen", -1.0, "first_seen is negative"),
        ("first_seen", math.inf, "first_seen is not a number"),
        ("cut", math.inf, "cut is not a number"),
        ("cut", math.nan, "cut is not a number"),
        ("cut", 1.7e12, "cut is no time"),
        ("propagation", 1.5, "propagation is not between 0 and 1"),
        ("propagation", math.nan, "propagation is not a number"),
    ],
)
def test_an_impossible_window_is_refused_by_name(column: str, value: object, what: str) -> None:
    """A7: what cannot be a window gives no index, and the error names the window and its row."""
    with pytest.raises(WindowInvalid, match=what) as caught:
        windows_to_features(with_cell(ROWS, column, 2, value))
    assert caught.value.where == f"window {ROWS['sample_id'][2].as_py()!r}, row 2"


def test_a_bad_row_is_counted_in_the_table_and_not_in_its_shape() -> None:
    """A7: in a table of several shapes the row that is named is the row of the table."""
    rows = mixed_windows(10, seed=1)
    row = next(row for row in range(20, 30) if rows["plat_a"][row].as_py())
    broken = with_cell(rows, "plat_a", row, [-1.0] * rows["n_obs"][row].as_py())
    with pytest.raises(WindowInvalid, match="plat_a has a count") as caught:
        windows_to_features(broken)
    assert caught.value.where == f"window {rows['sample_id'][row].as_py()!r}, row {row}"


def test_a_window_needs_clicks_or_usages() -> None:
    """A6: one of both is enough, none is not a window."""
    without = with_cell(ROWS, "clicks", 1, None)
    assert np.isfinite(windows_to_features(without).persistence_log2_W).all()
    with pytest.raises(WindowInvalid, match="neither clicks nor usages") as caught:
        windows_to_features(with_cell(without, "usages", 1, None))
    assert "row 1" in caught.value.where


def test_a_table_of_another_schema_is_refused() -> None:
    """A6: missing, doubled and wrong columns are named before anything is computed."""
    with pytest.raises(WindowInvalid, match="no column clicks, usages"):
        windows_to_features(ROWS.drop_columns(["clicks", "usages"]))
    with pytest.raises(WindowInvalid, match="two columns have one name"):
        conformed(ROWS.append_column("clicks", ROWS["clicks"]))
    with pytest.raises(WindowInvalid, match="do not fit"):
        conformed(ROWS.set_column(0, "sample_id", ROWS["clicks"]))
    nameless = ROWS.set_column(1, "item_id", pa.nulls(4, pa.string()))
    with pytest.raises(WindowInvalid, match="item_id"):
        conformed(nameless)


def test_columns_may_be_more_in_another_order_and_narrower() -> None:
    """A6: a table conforms by the names and values of its columns, not by their order."""
    order = [*reversed(ROWS.column_names)]
    table = ROWS.select(order).append_column("note", pa.array(["x"] * 4))
    narrow = pa.array([[1] * 8] * 4, pa.list_(pa.int16()))
    table = table.set_column(table.column_names.index("clicks"), "clicks", narrow)
    assert conformed(table).schema == ROWS.schema
    assert windows_to_features(table).clicks_mean_W.tolist() == [1.0] * 4


def test_shapes_are_told_in_order_and_rows_find_theirs() -> None:
    """A6: which shapes a table has does not depend on the order of its rows."""
    rows = mixed_windows(5, seed=3)
    rows = with_column(rows, "first_seen", [99.0] * 15)
    shapes, place_W = shapes_of(rows)
    assert shapes == SHAPES
    pairs = zip(rows["n_obs"].to_pylist(), rows["n_fut"].to_pylist(), strict=True)
    assert [shapes[place] for place in place_W] == list(pairs)
    parts = list(histories(rows))
    assert sorted(np.concatenate([part.rows for part in parts]).tolist()) == list(range(15))
    assert all(part.clicks_RT.shape == (5, part.shape.n_obs) for part in parts)
    assert all(part.first_seen_R.max() <= part.shape.n_obs for part in parts)
    assert shapes_of(rows.slice(0, 0))[0] == ()


def test_every_window_that_is_taken_has_a_digest() -> None:
    """A7: what passes as a window can be named; the labels are no part of its name."""
    rows = mixed_windows(5, seed=3)
    digests = input_digests(rows)
    assert len(set(digests)) == 15
    assert input_digests(with_column(rows, "fut_total", [None] * 15)) == digests
    changes = {"bin_days": 1.0, "first_seen": 1.0, "platform": "south", "cut": 0.0}
    for name, value in changes.items():
        changed = input_digests(with_cell(rows, name, 4, value))
        assert changed[4] != digests[4]
        assert changed[:4] + changed[5:] == digests[:4] + digests[5:]
