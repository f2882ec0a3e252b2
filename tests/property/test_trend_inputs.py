"""What must hold of the features, whatever the windows are."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.contracts.trend import PLACES, WINDOWS
from cluster.trend.features import FEATURE_NAMES, coarse, windows_to_features
from tests.unit.trend.feature_forms import feature_forms, resampled

counts = st.integers(0, 10**6).map(float) | st.just(0.0)


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    """A window of any shape, of which much may be unknown."""
    n_obs = draw(st.integers(1, 40))
    series = st.lists(counts, min_size=n_obs, max_size=n_obs)
    perhaps = st.none() | series
    clicks, usages = draw(perhaps), draw(perhaps)
    both_missing = clicks is None and usages is None
    return {
        "sample_id": "case-1@1",
        "item_id": "case-1",
        "platform": "north",
        "cut": draw(st.none() | st.integers(-(10**9), 4 * 10**9).map(float)),
        "bin_days": draw(st.floats(0.01, 400)),
        "n_obs": n_obs,
        "n_fut": draw(st.integers(1, 200)),
        "age_days": draw(st.none() | st.floats(0, 10**5)),
        "first_seen": draw(st.none() | st.integers(0, 60).map(float)),
        "clicks": draw(series) if both_missing else clicks,
        "usages": usages,
        **{place: draw(perhaps) for place in PLACES},
        "propagation": draw(st.none() | st.floats(0, 1)),
        "fut_total": draw(st.none() | counts),
        "hot": draw(st.none() | st.booleans()),
        "surge": draw(st.none() | st.booleans()),
    }


@settings(max_examples=80)
@given(window=windows())
def test_every_column_of_any_window_is_the_feature_of_its_name(window: dict[str, Any]) -> None:
    """A6: of any window each of the columns follows its own form, and is a number or not told."""
    inputs_WF = windows_to_features(pa.Table.from_pylist([window], schema=WINDOWS)).inputs_WF
    found = dict(zip(FEATURE_NAMES, inputs_WF[0].tolist(), strict=True))
    assert found == pytest.approx(feature_forms(window), rel=1e-5, abs=1e-5, nan_ok=True)
    assert not np.isinf(inputs_WF).any()


@given(
    course=st.lists(counts, min_size=1, max_size=50),
    n_bins=st.integers(1, 24),
)
def test_bins_are_drawn_together_as_if_resampled_one_by_one(
    course: list[float], n_bins: int
) -> None:
    """A6: the course of a window of any length keeps its level, whatever the bins are."""
    found = coarse(np.array([course]), n_bins)[0]
    assert found == pytest.approx(resampled(course, n_bins), rel=1e-9, abs=1e-9)
    assert found.mean() == pytest.approx(np.mean(course), rel=1e-9, abs=1e-9)
    if n_bins == len(course):
        assert found == pytest.approx(course, rel=1e-12)


@settings(max_examples=25)
@given(rows=st.lists(windows(), min_size=2, max_size=6), data=st.data())
def test_a_row_has_the_same_features_among_any_others(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    """A7: which rows are beside a window, and of what shapes, changes nothing of it."""
    order = data.draw(st.permutations(range(len(rows))))
    whole = windows_to_features(pa.Table.from_pylist(rows, schema=WINDOWS))
    mixed = windows_to_features(pa.Table.from_pylist([rows[row] for row in order], schema=WINDOWS))
    for place, row in enumerate(order):
        np.testing.assert_allclose(mixed.inputs_WF[place], whole.inputs_WF[row], rtol=1e-6)
        assert mixed.shapes[mixed.shape_W[place]] == whole.shapes[whole.shape_W[row]]
