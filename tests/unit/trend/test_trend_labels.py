"""What came after a window, and when it was hot or a surge."""

import math

import numpy as np
import pyarrow as pa
import pytest

from cluster.errors import WindowInvalid
from cluster.trend.features import windows_to_features
from cluster.trend.labels import Labels, Thresholds, labels, outcomes, thresholds
from cluster.trend.windows import Shape
from tests.unit.trend.access_windows import (
    MONTHLY,
    SHAPES,
    access_windows,
    mixed_windows,
    with_cell,
    with_column,
)

ROWS = access_windows(200, seed=5)


def labelled(windows: pa.Table) -> tuple[Labels, dict[Shape, Thresholds]]:
    features = windows_to_features(windows)
    limits = thresholds(outcomes(windows), features)
    return labels(windows, features, limits), limits


def test_growth_is_of_the_accesses_a_bin() -> None:
    """A6: y is log2(1 + total); growth compares bins to come with bins seen, by hand."""
    window = access_windows(1, seed=1, shape=MONTHLY)  # 2 bins seen, 3 forecast
    window = with_column(window, "clicks", [[10.0, 4.0]])
    window = with_column(window, "usages", [[2.0, 4.0]])
    window = with_column(window, "fut_total", [45.0])
    came, _ = labelled(window)
    assert came.y_W[0] == pytest.approx(math.log2(46))
    assert came.growth_W[0] == pytest.approx(math.log2((15 + 1) / (10 + 1)))


def test_hot_and_surge_are_the_top_deciles_of_each_shape() -> None:
    """A6: where the source gives no label, the top tenth of a shape's windows has it."""
    rows = mixed_windows(300, seed=2)
    came, limits = labelled(rows)
    shape_W = windows_to_features(rows).shape_W
    assert set(limits) == set(SHAPES)
    for place, shape in enumerate(SHAPES):
        part = shape_W == place
        for label_W, value_W, limit in (
            (came.hot_W, came.y_W, limits[shape].hot),
            (came.surge_W, came.growth_W, limits[shape].surge),
        ):
            assert label_W[part].mean() == pytest.approx(0.1, abs=0.02)
            assert np.array_equal(label_W[part], value_W[part] >= limit)


def test_labels_that_the_source_gives_go_first() -> None:
    """A6: a given label stands, true or false; a null one follows the model's threshold."""
    came, _ = labelled(ROWS)
    hot = ROWS["hot"].to_pylist()
    top, low = int(came.y_W.argmax()), int(came.y_W.argmin())
    assert (came.hot_W[top], came.hot_W[low]) == (True, False)
    hot[top], hot[low] = False, True
    given, _ = labelled(with_column(ROWS, "hot", hot))
    expected_W = came.hot_W.copy()
    expected_W[[top, low]] = [False, True]
    assert np.array_equal(given.hot_W, expected_W)
    assert np.array_equal(given.surge_W, came.surge_W)
    surging, _ = labelled(with_column(ROWS, "surge", [True] * 200))
    assert surging.surge_W.all()
    assert np.array_equal(surging.hot_W, came.hot_W)


def test_silence_is_never_hot() -> None:
    """A6: where nothing comes after most windows, a window with nothing to come is not hot."""
    silent = with_column(ROWS, "fut_total", [0.0] * 199 + [5.0])
    came, limits = labelled(silent)
    assert next(iter(limits.values())).hot == 1.0
    assert came.hot_W.tolist() == [False] * 199 + [True]


def test_thresholds_of_a_model_stay_its_own() -> None:
    """A9: new windows are labelled by the thresholds that the model was made with."""
    features = windows_to_features(ROWS)
    came = labels(ROWS, features, {features.shapes[0]: Thresholds(hot=5.0, surge=-1.0)})
    assert np.array_equal(came.hot_W, came.y_W >= 5)
    assert np.array_equal(came.surge_W, came.growth_W >= -1)


@pytest.mark.parametrize("value", [None, -1.0, math.nan, math.inf])
def test_a_label_that_is_not_known_is_refused(value: float | None) -> None:
    """A6: supervised learning takes only windows whose horizon has passed."""
    with pytest.raises(WindowInvalid, match="fut_total is null, negative or not finite") as caught:
        outcomes(with_cell(ROWS, "fut_total", 1, value))
    assert "row 1" in caught.value.where


def test_no_windows_have_no_labels() -> None:
    """A6: an empty table is labelled, with nothing."""
    came, limits = labelled(ROWS.slice(0, 0))
    assert (len(came.y_W), len(came.hot_W), limits) == (0, 0, {})


def test_where_most_windows_are_silent_silence_is_no_surge() -> None:
    """A6: a growth that most windows share is not in the top tenth."""
    silent = with_column(ROWS, "clicks", [[0.0] * 8] * 200)
    silent = with_column(silent, "usages", [[0.0] * 8] * 200)
    silent = with_column(silent, "fut_total", [float(row < 5) * 9 for row in range(200)])
    assert labelled(silent)[0].surge_W.tolist() == [row < 5 for row in range(200)]


def test_windows_that_tell_no_future_at_all_are_said_to() -> None:
    """A6: without the column of what came, the message is about the column, not about one row."""
    with pytest.raises(WindowInvalid, match="no window tells fut_total") as caught:
        outcomes(with_column(ROWS, "fut_total", [None] * 200))
    assert "give that column" in caught.value.remedy
