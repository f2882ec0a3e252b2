"""The heat of a case within its own field."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.screening.rare_feature import SHRINKAGE, rare_features


def heat(accesses: list[int], fields: list[str]) -> list[float]:
    values = rare_features(np.array(accesses, np.int64), pa.array(fields, pa.string()))
    return list(map(float, values))


def test_heat_is_shrunk_accesses_over_the_shrunk_mean() -> None:
    """A3: by hand, with ten accesses given beforehand: (20 + 10) / (10 + 10)."""
    assert pytest.approx(10.0) == SHRINKAGE
    assert heat([20, 0, 7], ["a", "a", "b"]) == pytest.approx([1.5, 0.5, 1.0])


def test_one_click_in_an_empty_field_is_not_hot() -> None:
    """A3: one access among ten untouched cases lifts a case by less than a tenth."""
    values = heat([1] + [0] * 9, ["a"] * 10)
    assert 1 < values[0] < 1.1


def test_a_field_does_not_feel_the_others() -> None:
    """A3: traffic elsewhere changes nothing here."""
    assert heat([3, 1, 1000], ["a", "a", "b"])[:2] == heat([3, 1, 0], ["a", "a", "b"])[:2]


def test_no_case_has_no_heat() -> None:
    """A3: an empty platform gives an empty column."""
    assert heat([], []) == []


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from("abc")), min_size=1, max_size=30))
def test_the_mean_of_a_field_is_one_and_order_follows_accesses(
    rows: list[tuple[int, str]],
) -> None:
    """A3: within each field heat averages to 1 and never turns the order of accesses round."""
    accesses, fields = (list(column) for column in zip(*rows, strict=True))
    values = np.array(heat(accesses, fields))
    for field in set(fields):
        here = [n for n, name in enumerate(fields) if name == field]
        assert values[here].mean() == pytest.approx(1.0)
        ranked = sorted(here, key=lambda n: accesses[n])
        assert np.all(np.diff(values[ranked]) >= 0)
