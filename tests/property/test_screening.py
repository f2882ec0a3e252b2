"""Screening does not depend on names or on the order of cases."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.screening.incidence import KEPT, screen
from cluster.settings import load_settings

names = st.sampled_from(["a", "b", "c", "d", "e"]) | st.none()
platforms = st.lists(names, max_size=40)
SETTINGS = load_settings({"incidence_preset_per_100k": "0.5"})


@given(platforms, st.permutations(["v", "w", "x", "y", "z"]))
def test_relabelling_changes_only_the_names(ids: list[str | None], new: list[str]) -> None:
    """A2: with other names every case has the same incidence, reason and standing."""
    renamed = dict(zip("abcde", new, strict=True))
    one = screen(pa.array(ids, pa.string()), 1e6, SETTINGS)
    two = screen(pa.array([i and renamed[i] for i in ids], pa.string()), 1e6, SETTINGS)
    assert two.is_rare.tolist() == one.is_rare.tolist()
    for name in ("n_cases", "incidence", "incidence_low", "incidence_high", "reason"):
        assert two.classes[name].to_pylist() == one.classes[name].to_pylist()
    for row, other in zip(one.class_of_case, two.class_of_case, strict=True):
        assert (row < 0) == (other < 0)
        if row >= 0:
            first, second = one.classes["class_id"][row], two.classes["class_id"][other]
            assert renamed[first.as_py()] == second.as_py()


@given(platforms, st.randoms())
def test_the_order_of_cases_does_not_count(ids: list[str | None], random: object) -> None:
    """A2: the same cases in any order make the same table."""
    shuffled = list(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    one = screen(pa.array(ids, pa.string()), 1e6, SETTINGS).classes
    two = screen(pa.array(shuffled, pa.string()), 1e6, SETTINGS).classes
    assert one.equals(two)


@given(platforms, st.floats(1.0, 1e9))
def test_the_table_is_lowest_first_and_counts_every_case(
    ids: list[str | None], years: float
) -> None:
    """A2: ascending incidence, ties by name, intervals around the mean, no case lost."""
    found = screen(pa.array(ids, pa.string()), years, SETTINGS)
    rows = found.classes.to_pylist()
    keys = [(row["incidence"], row["class_id"]) for row in rows]
    assert keys == sorted(keys)
    assert sum(row["n_cases"] for row in rows) == sum(i is not None for i in ids)
    for row in rows:
        assert 0 <= row["incidence_low"] < row["incidence_high"]
        assert row["incidence"] > 0
    for place, given_id in zip(found.class_of_case, ids, strict=True):
        assert (rows[place]["class_id"] if place >= 0 else None) == given_id
    rare = [place >= 0 and rows[place]["reason"] == KEPT for place in found.class_of_case]
    assert found.is_rare.tolist() == rare


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=40), st.floats(1.0, 1e9))
def test_the_expected_cases_of_all_classes_are_the_cases(ids: list[str], years: float) -> None:
    """A2: incidence times population, summed over classes, gives back the number of cases."""
    table = screen(pa.array(ids, pa.string()), years, SETTINGS).classes
    expected = float(np.asarray(table["incidence"]).sum()) * years / 1e5
    assert expected == pytest.approx(len(ids))
