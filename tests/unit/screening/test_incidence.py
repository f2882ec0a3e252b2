"""Incidence against the textbook, and the two screenings."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import integrate, stats

from cluster.screening.incidence import (
    ABOVE_PRESET,
    CLASSES,
    KEPT,
    MAY_BE_ABOVE,
    NO_POPULATION,
    PUBLISHED_COMMON,
    TOO_COMMON,
    screen,
)
from cluster.screening.prevalence import RARITIES, PublishedRates
from cluster.screening.priors import Known
from cluster.settings import load_settings
from tests.unit.screening.knowledge import a_prior, a_rarity

ONLY_FIRST = {"incidence_preset_per_100k": "1e9"}
ONLY_SECOND = {"first_screening_share": "1"}


def cases(**counts: int) -> pa.StringArray:
    return pa.array([name for name, n in counts.items() for _ in range(n)], pa.string())


def test_the_posterior_is_the_one_of_a_hand_calculation() -> None:
    """A2: with a = 0.5, classes of 1 and 3 in 1,000,000 person-years, worked out by hand.

    Background m = 4 / (2 * 1e6) = 2e-6; rate = 0.5 / 2e-6 + 1e6 = 1.25e6; mean (0.5 + k) / rate.
    """
    rows = screen(cases(x=1, y=3), 1e6, load_settings()).classes.to_pylist()
    assert [row["class_id"] for row in rows] == ["x", "y"]
    assert [row["n_cases"] for row in rows] == [1, 3]
    assert [row["incidence"] for row in rows] == pytest.approx([0.12, 0.28])
    assert [row["prior_mean"] for row in rows] == pytest.approx([0.2, 0.2])
    assert {row["prior_source"].partition(":")[0] for row in rows} == {"background"}
    assert {row["person_years"] for row in rows} == {1e6}


@pytest.mark.parametrize("n", [1, 4, 50])
@pytest.mark.parametrize("strength", [0.5, 1.0, 3.0])
def test_median_and_interval_are_those_of_scipy(n: int, strength: float) -> None:
    """A2: with a published rate m every figure is that of Gamma(a + k, a / m + N)."""
    settings = load_settings({"incidence_prior_strength": str(strength)})
    known = Known(a_prior("x", 40.0))
    (row,) = screen(cases(x=n), 2e5, settings, known).classes.to_pylist()
    exact = stats.gamma(strength + n, scale=1e5 / (strength / 40e-5 + 2e5))
    assert row["incidence"] == pytest.approx(exact.mean())
    assert row["incidence_median"] == pytest.approx(exact.median())
    assert [row["incidence_low"], row["incidence_high"]] == pytest.approx(exact.interval(0.95))
    assert row["prior_mean"] == pytest.approx(40.0)


@pytest.mark.parametrize("n", [1, 4, 50])
def test_the_interval_holds_95_percent_of_prior_times_likelihood(n: int) -> None:
    """A2: median and ends are checked by integrating Gamma prior times Poisson likelihood."""
    years = 2e5
    table = screen(cases(x=n, y=2, z=7), years, load_settings()).classes
    (row,) = (row for row in table.to_pylist() if row["class_id"] == "x")
    prior = stats.gamma(0.5, scale=(n + 9) / (3 * years) / 0.5)

    def joint(scaled: float) -> float:
        rate = scaled / 1e5
        return float(prior.pdf(rate) * stats.poisson.pmf(n, rate * years))

    top = 1e5 * (n + 20 * np.sqrt(n + 1) + 30) / years
    marks = [row[f"incidence_{name}"] for name in ("low", "median", "high")]
    whole = integrate.quad(joint, 0, top, points=marks, limit=500)[0]
    below = [integrate.quad(joint, 0, mark, points=[1e-3], limit=500)[0] / whole for mark in marks]
    mean = integrate.quad(lambda x: x * joint(x), 0, top, points=marks, limit=500)[0]
    assert below == pytest.approx([0.025, 0.5, 0.975], rel=2e-3)
    assert row["incidence"] == pytest.approx(mean / whole, rel=1e-4)


def test_without_a_population_nothing_is_rare() -> None:
    """A2: where the population at risk is not known, no case passes, and the reason says so."""
    for years in (0.0, -5.0):
        found = screen(cases(x=1, y=5), years, load_settings(), Known(a_prior("x", 0.03)))
        assert set(found.classes["reason"].to_pylist()) == {NO_POPULATION}
        assert not found.is_rare.any()
        assert found.classes["n_cases"].to_pylist() == [1, 5]
        assert found.classes["incidence_median"].to_pylist() == [None, None]


def test_a_case_without_a_class_is_never_rare() -> None:
    """A2: a case without a disease has no class, and does not shift the others' places."""
    ids = pa.array([None, "y", None, "x", "y"], pa.string())
    found = screen(ids, 1e9, load_settings(ONLY_FIRST | {"first_screening_share": "1"}))
    assert found.class_of_case.tolist() == [-1, 1, -1, 0, 1]
    assert found.is_rare.tolist() == [False, True, False, True, True]
    assert found.classes["class_id"].to_pylist() == ["x", "y"]


@pytest.mark.parametrize("ids", [[], [None, None]])
def test_an_empty_platform_is_screened(ids: list[None]) -> None:
    """A2: no case, or none with a class, gives an empty table and no rare case."""
    found = screen(pa.array(ids, pa.string()), 1e6, load_settings(), Known(a_prior("x", 1.0)))
    assert found.classes.schema == CLASSES
    assert found.classes.num_rows == 0
    assert found.is_rare.tolist() == [False] * len(ids)


def test_the_first_screening_stops_the_commoner_classes() -> None:
    """A2: of four classes a share of a half lets the two rarest pass, one of 0.75 three."""
    for share, passed in (("0.3", 2), ("0.5", 2), ("0.75", 3), ("0.76", 4), ("1", 4)):
        settings = load_settings(ONLY_FIRST | {"first_screening_share": share})
        table = screen(cases(a=1, b=2, c=3, d=4), 1e6, settings).classes
        assert table["class_id"].to_pylist() == ["a", "b", "c", "d"]
        assert table["reason"].to_pylist() == [KEPT] * passed + [TOO_COMMON] * (4 - passed)


def published_as_common(*names: str) -> Known:
    rarities = pa.concat_tables([a_rarity(name, is_common=True) for name in names])
    return Known(PublishedRates(a_prior("elsewhere", 1.0).priors, rarities))


def test_the_share_is_one_of_the_classes_that_are_not_published_as_common() -> None:
    """A2: what goes as published takes no other class's place; all may go."""
    settings = load_settings(ONLY_FIRST | {"first_screening_share": "0.5"})
    ids = cases(a=1, b=2, c=3, d=4)
    table = screen(ids, 1e6, settings, published_as_common("a", "b")).classes
    assert table["reason"].to_pylist() == [PUBLISHED_COMMON, PUBLISHED_COMMON, KEPT, TOO_COMMON]
    table = screen(ids, 1e6, settings, published_as_common("c", "d")).classes
    assert table["reason"].to_pylist() == [KEPT, TOO_COMMON, PUBLISHED_COMMON, PUBLISHED_COMMON]
    table = screen(ids, 1e6, settings, published_as_common("a", "b", "c", "d")).classes
    assert set(table["reason"].to_pylist()) == {PUBLISHED_COMMON}


def test_classes_of_equal_incidence_pass_or_stop_together() -> None:
    """A2: a tie at the limit is not cut by the alphabet."""
    settings = load_settings(ONLY_FIRST | {"first_screening_share": "0.1"})
    table = screen(cases(a=1, b=1, c=1, d=9), 1e6, settings).classes
    assert table["reason"].to_pylist() == [KEPT, KEPT, KEPT, TOO_COMMON]


@pytest.mark.parametrize(
    ("rule", "column", "reason"),
    [("lenient", "incidence_median", ABOVE_PRESET), ("strict", "incidence_high", MAY_BE_ABOVE)],
)
def test_the_second_screening_compares_what_its_rule_says(
    rule: str, column: str, reason: str
) -> None:
    """A2: lenient compares the median, strict the upper end; equal to the preset passes."""
    rules = ONLY_SECOND | {"screening_rule": rule}
    ids = cases(x=1, y=3)
    limit = screen(ids, 1e6, load_settings(rules)).classes[column][1].as_py()
    for preset, reasons in [(limit, [KEPT, KEPT]), (limit * 0.999, [KEPT, reason])]:
        settings = load_settings(rules | {"incidence_preset_per_100k": repr(preset)})
        assert screen(ids, 1e6, settings).classes["reason"].to_pylist() == reasons


def test_a_median_above_the_preset_is_named_under_the_strict_rule_too() -> None:
    """A2: the reason tells a class that is above the preset from one that only may be."""
    rules = ONLY_SECOND | {"screening_rule": "strict", "incidence_preset_per_100k": "0.2"}
    table = screen(cases(x=1, y=3), 1e6, load_settings(rules)).classes
    assert table["reason"].to_pylist() == [MAY_BE_ABOVE, ABOVE_PRESET]


def test_the_first_screening_is_named_where_both_stop() -> None:
    """A2: a class that fails both screenings is told the one that came first."""
    settings = load_settings({"incidence_preset_per_100k": "0.001", "first_screening_share": "0"})
    table = screen(cases(x=1, y=3), 1e6, settings).classes
    assert table["reason"].to_pylist() == [ABOVE_PRESET, TOO_COMMON]


def test_what_is_published_as_common_is_stopped_by_a_rule_of_its_own() -> None:
    """A2: a class published as not rare goes, and no figure of any class changes by that."""
    settings = load_settings(ONLY_FIRST | ONLY_SECOND)
    plain = screen(cases(x=1, y=3), 1e6, settings).classes
    rarities = pa.concat_tables([a_rarity("x", is_common=True), a_rarity("y", is_common=False)])
    known = Known(PublishedRates(a_prior("w", 1.0).priors, rarities))
    told = screen(cases(x=1, y=3), 1e6, settings, known).classes
    assert told["reason"].to_pylist() == [PUBLISHED_COMMON, KEPT]
    assert told["published"].to_pylist() == ["what is published of x", "what is published of y"]
    assert plain["published"].to_pylist() == ["", ""]
    same = [name for name in CLASSES.names if name not in ("published", "reason")]
    assert told.select(same).equals(plain.select(same))
    assert rarities.schema == RARITIES


def test_a_published_class_that_nobody_has_is_not_listed() -> None:
    """A2: there is no case to show, so a class without one does not stand in the list."""
    known = Known(a_prior("elsewhere", 0.03))
    assert screen(cases(x=1), 1e6, load_settings(), known).classes["class_id"].to_pylist() == ["x"]


def test_rare_cases_are_those_of_kept_classes() -> None:
    """A2: every case of a class that passed both screenings is rare, no other."""
    settings = load_settings(ONLY_FIRST | {"first_screening_share": "0"})
    ids = pa.array(["common", "rare", "common", "common"], pa.string())
    found = screen(ids, 1e6, settings)
    assert found.is_rare.tolist() == [False, True, False, False]
