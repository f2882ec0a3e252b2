"""Screening does not depend on names or on the order of cases, and scales as it says."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cluster.screening.incidence import KEPT, screen
from cluster.screening.prevalence import PRIORS, RARITIES, PublishedRates
from cluster.screening.priors import Known, class_counts, pooled
from cluster.settings import Settings, load_settings

LETTERS = "abcde"
FIGURES = ("incidence", "incidence_median", "incidence_low", "incidence_high", "prior_mean")
names = st.sampled_from(LETTERS) | st.none()
platforms = st.lists(names, max_size=40)
with_classes = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=40)
published = st.dictionaries(st.sampled_from(LETTERS), st.floats(0.03, 100.0), max_size=3)
SETTINGS = load_settings({"incidence_preset_per_100k": "0.5"})


def ids_of(ids: list[str | None]) -> pa.StringArray:
    return pa.array(ids, pa.string())


def knowledge(
    means: dict[str, float], others: list[str | None], own: list[str | None], years: float
) -> Known:
    """Return published rates, and a pool of this platform with another one of the same size."""
    rows = [{"class_id": i, "mean": mean, "source": "rate"} for i, mean in means.items()]
    priors = pa.Table.from_pylist(rows, schema=PRIORS)
    pool = pooled((class_counts(ids_of(ids)), years) for ids in (own, others))
    return Known(PublishedRates(priors, RARITIES.empty_table()), pool)


def figures(ids: list[str | None], years: float, known: Known, **changes: float) -> np.ndarray:
    """Return the figures of every class [K, 5], by class id."""
    settings = SETTINGS.model_copy(update=changes)
    table = screen(ids_of(ids), years, settings, known).classes.sort_by("class_id")
    return np.column_stack([np.asarray(table[name]) for name in FIGURES])


@given(platforms, platforms, published, st.permutations(["v", "w", "x", "y", "z"]))
def test_relabelling_changes_only_the_names(
    ids: list[str | None], others: list[str | None], means: dict[str, float], new: list[str]
) -> None:
    """A2: with other names every case has the same incidence, reason and standing."""
    renamed: dict[str | None, str] = dict(zip(LETTERS, new, strict=True))

    def again(old: list[str | None]) -> list[str | None]:
        return [renamed.get(i) for i in old]

    one = screen(ids_of(ids), 1e6, SETTINGS, knowledge(means, others, ids, 1e6))
    told = knowledge({renamed[i]: m for i, m in means.items()}, again(others), again(ids), 1e6)
    two = screen(ids_of(again(ids)), 1e6, SETTINGS, told)
    assert two.is_rare.tolist() == one.is_rare.tolist()
    assert two.classes["incidence_median"].equals(one.classes["incidence_median"])
    for row, other in zip(one.class_of_case, two.class_of_case, strict=True):
        assert (row < 0) == (other < 0)
        if row >= 0:
            first, second = (
                t.classes.slice(n, 1).to_pylist()[0] for t, n in ((one, row), (two, other))
            )
            assert renamed[first.pop("class_id")] == second.pop("class_id")
            assert first == second


@given(platforms, platforms, published, st.randoms())
def test_the_order_of_cases_does_not_count(
    ids: list[str | None], others: list[str | None], means: dict[str, float], random: object
) -> None:
    """A2: the same cases in any order make the same table."""
    shuffled = list(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    one = screen(ids_of(ids), 1e6, SETTINGS, knowledge(means, others, ids, 1e6)).classes
    two = screen(ids_of(shuffled), 1e6, SETTINGS, knowledge(means, others, shuffled, 1e6)).classes
    assert one.equals(two)


@given(platforms, published, st.floats(1.0, 1e9))
def test_the_table_is_lowest_first_and_counts_every_case(
    ids: list[str | None], means: dict[str, float], years: float
) -> None:
    """A2: ascending median, ties by name, median within its interval, no case lost."""
    found = screen(ids_of(ids), years, SETTINGS, knowledge(means, [], ids, years))
    rows = found.classes.to_pylist()
    keys = [(row["incidence_median"], row["class_id"]) for row in rows]
    assert keys == sorted(keys)
    assert sum(row["n_cases"] for row in rows) == sum(i is not None for i in ids)
    for row in rows:
        assert 0 <= row["incidence_low"] < row["incidence_median"] < row["incidence_high"]
        assert row["incidence_median"] < row["incidence"]  # a Gamma leans to the right
        assert row["n_cases"] > 0
    for place, given_id in zip(found.class_of_case, ids, strict=True):
        assert (rows[place]["class_id"] if place >= 0 else None) == given_id
    rare = [place >= 0 and rows[place]["reason"] == KEPT for place in found.class_of_case]
    assert found.is_rare.tolist() == rare


@given(with_classes, st.floats(1.0, 1e9))
def test_the_expected_cases_of_all_classes_are_the_cases(ids: list[str], years: float) -> None:
    """A2: with the background as prior, incidence times population adds up to the cases."""
    assume(len(set(ids)) > 1)
    table = screen(ids_of([*ids]), years, SETTINGS).classes
    expected = float(np.asarray(table["incidence"]).sum()) * years / 1e5
    assert expected == pytest.approx(len(ids))


@given(with_classes, with_classes, st.floats(1e3, 1e8))
def test_twice_the_populations_are_half_the_rates(
    ids: list[str], others: list[str], years: float
) -> None:
    """A2: where priors come from counts, doubling every population halves every figure exactly."""
    one = figures([*ids], years, knowledge({}, [*others], [*ids], years))
    two = figures([*ids], 2 * years, knowledge({}, [*others], [*ids], 2 * years))
    assert two == pytest.approx(one / 2)


@given(with_classes, published, st.floats(1e3, 1e8))
def test_only_the_prior_times_the_population_counts(
    ids: list[str], means: dict[str, float], years: float
) -> None:
    """A2: with m published, twice N and half of m are half the rates: m * N and k say it all."""
    halves = {i: mean / 2 for i, mean in means.items()}
    one = figures([*ids], years, knowledge(means, [], [*ids], years))
    two = figures([*ids], 2 * years, knowledge(halves, [], [*ids], 2 * years))
    assert two == pytest.approx(one / 2)


@given(with_classes, st.floats(0.03, 100.0), st.floats(1e3, 1e12))
def test_with_a_fixed_prior_the_rate_falls_less_than_the_population_grows(
    ids: list[str], mean: float, years: float
) -> None:
    """A2: it falls by (a/m + N) / (a/m + 2 N): more than half is left, half where N is large."""
    told = dict.fromkeys(LETTERS, mean)
    one = screen(ids_of([*ids]), years, SETTINGS, knowledge(told, [], [*ids], years))
    two = screen(ids_of([*ids]), 2 * years, SETTINGS, knowledge(told, [], [*ids], 2 * years))
    weight = 0.5 / (mean / 1e5)
    ratio = (weight + years) / (weight + 2 * years)
    before = {row["class_id"]: row for row in one.classes.to_pylist()}
    for row in two.classes.to_pylist():
        old = before[row["class_id"]]
        if row["prior_source"] == old["prior_source"] == "published: rate":
            assert row["incidence"] == pytest.approx(ratio * old["incidence"])
    assert 0.5 <= ratio < 1
    assert years < 1e3 * weight or ratio < 0.5006


@given(with_classes, published, st.floats(1e5, 1e8), st.floats(0.01, 10.0))
def test_the_strict_rule_keeps_fewer_and_a_higher_preset_more(
    ids: list[str], means: dict[str, float], years: float, preset: float
) -> None:
    """A2: what strict keeps lenient keeps; what a preset keeps a higher one keeps."""
    known = knowledge(means, [], [*ids], years)

    def kept(settings: Settings) -> set[str]:
        rows = screen(ids_of([*ids]), years, settings, known).classes.to_pylist()
        return {row["class_id"] for row in rows if row["reason"] == KEPT}

    lenient = SETTINGS.model_copy(update={"incidence_preset_per_100k": preset})
    strict = lenient.model_copy(update={"screening_rule": "strict"})
    higher = lenient.model_copy(update={"incidence_preset_per_100k": 2 * preset})
    assert kept(strict) <= kept(lenient) <= kept(higher)


@given(published, st.integers(1, 60), st.floats(1e5, 1e8))
def test_one_case_more_never_lowers_a_rate(means: dict[str, float], n: int, years: float) -> None:
    """A2: the median grows with the cases, also where a published rate stops to fit."""
    assume("a" in means)
    ids = ["a"] * n + ["b"] * 3
    medians = []
    for cases in (ids, ["a", *ids]):
        table = screen(ids_of([*cases]), years, SETTINGS, knowledge(means, [], [*cases], years))
        rows = {row["class_id"]: row for row in table.classes.to_pylist()}
        medians.append(rows["a"]["incidence_median"])
    assert medians[0] < medians[1]
