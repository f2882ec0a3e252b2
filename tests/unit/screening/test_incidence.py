"""Incidence against the textbook, and the two screenings."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import integrate, stats

from cluster.screening.incidence import (
    ABOVE_PRESET,
    CLASSES,
    KEPT,
    NO_POPULATION,
    PRIOR_SOURCE,
    TOO_COMMON,
    screen,
)
from cluster.settings import load_settings

ONLY_FIRST = {"incidence_preset_per_100k": "1e9"}
ONLY_SECOND = {"first_screening_share": "1"}


def cases(**counts: int) -> pa.StringArray:
    return pa.array([name for name, n in counts.items() for _ in range(n)], pa.string())


def test_the_posterior_is_the_one_of_a_hand_calculation() -> None:
    """A2: with a = 0.5, classes of 1 and 3 in 1,000,000 person-years, worked out by hand.

    Prior mean m = 4 / (2 * 1e6) = 2e-6; rate = 0.5 / 2e-6 + 1e6 = 1.25e6; mean (0.5 + k) / rate.
    """
    rows = screen(cases(x=1, y=3), 1e6, load_settings()).classes.to_pylist()
    assert [row["class_id"] for row in rows] == ["x", "y"]
    assert [row["n_cases"] for row in rows] == [1, 3]
    assert [row["incidence"] for row in rows] == pytest.approx([0.12, 0.28])
    assert [row["prior_mean"] for row in rows] == pytest.approx([0.2, 0.2])
    assert {row["prior_source"] for row in rows} == {PRIOR_SOURCE}
    assert {row["person_years"] for row in rows} == {1e6}


@pytest.mark.parametrize("n", [1, 4, 50])
@pytest.mark.parametrize("strength", [0.1, 0.5, 3.0])
def test_the_interval_holds_95_percent_of_prior_times_likelihood(n: int, strength: float) -> None:
    """A2: the interval is checked by integrating Gamma prior times Poisson likelihood."""
    years = 2e5
    settings = load_settings({"incidence_prior_strength": str(strength)})
    table = screen(cases(x=n, y=2, z=7), years, settings).classes
    (row,) = (row for row in table.to_pylist() if row["class_id"] == "x")
    prior_mean = (n + 9) / (3 * years)
    prior = stats.gamma(strength, scale=prior_mean / strength)

    def joint(scaled: float) -> float:
        rate = scaled / 1e5
        return float(prior.pdf(rate) * stats.poisson.pmf(n, rate * years))

    top = 1e5 * (n + 20 * np.sqrt(n + 1) + 30) / years
    middle = [row["incidence_low"], row["incidence"], row["incidence_high"]]
    whole = integrate.quad(joint, 0, top, points=middle, limit=500)[0]
    below = integrate.quad(joint, 0, middle[0], limit=500)[0]
    above = integrate.quad(joint, middle[2], top, limit=500)[0]
    mean = integrate.quad(lambda x: x * joint(x), 0, top, points=middle, limit=500)[0]
    assert below / whole == pytest.approx(0.025, rel=2e-3)
    assert above / whole == pytest.approx(0.025, rel=2e-3)
    assert row["incidence"] == pytest.approx(mean / whole, rel=1e-4)


def test_twice_the_population_is_half_the_incidence() -> None:
    """A2: the same cases in twice the person-years have half the incidence and interval."""
    one, two = (screen(cases(x=1, y=5), years, load_settings()).classes for years in (1e6, 2e6))
    for name in ("incidence", "incidence_low", "incidence_high", "prior_mean"):
        assert np.asarray(two[name]) == pytest.approx(np.asarray(one[name]) / 2)


def test_without_a_population_nothing_is_rare() -> None:
    """A2: where the population at risk is not known, no case passes, and the reason says so."""
    for years in (0.0, -5.0):
        found = screen(cases(x=1, y=5), years, load_settings())
        assert set(found.classes["reason"].to_pylist()) == {NO_POPULATION}
        assert not found.is_rare.any()
        assert found.classes["n_cases"].to_pylist() == [1, 5]


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
    found = screen(pa.array(ids, pa.string()), 1e6, load_settings())
    assert found.classes.schema == CLASSES
    assert found.classes.num_rows == 0
    assert found.is_rare.tolist() == [False] * len(ids)


def test_the_first_screening_stops_the_commoner_classes() -> None:
    """A2: of four classes a share of a half lets the two rarest pass."""
    settings = load_settings(ONLY_FIRST | {"first_screening_share": "0.3"})
    table = screen(cases(a=1, b=2, c=3, d=4), 1e6, settings).classes
    assert table["class_id"].to_pylist() == ["a", "b", "c", "d"]
    assert table["reason"].to_pylist() == [KEPT, KEPT, TOO_COMMON, TOO_COMMON]


def test_classes_of_equal_incidence_pass_or_stop_together() -> None:
    """A2: a tie at the limit is not cut by the alphabet."""
    settings = load_settings(ONLY_FIRST | {"first_screening_share": "0.1"})
    table = screen(cases(a=1, b=1, c=1, d=9), 1e6, settings).classes
    assert table["reason"].to_pylist() == [KEPT, KEPT, KEPT, TOO_COMMON]


def test_the_second_screening_stops_what_is_above_the_preset() -> None:
    """A2: a posterior mean equal to the preset passes, one above it does not.

    As in the hand calculation, the means are 0.12 and 0.28.
    """
    means = screen(cases(x=1, y=3), 1e6, load_settings(ONLY_SECOND)).classes["incidence"]
    for preset, reasons in [
        (means[1].as_py(), [KEPT, KEPT]),
        (0.2799, [KEPT, ABOVE_PRESET]),
        (0.1199, [ABOVE_PRESET, ABOVE_PRESET]),
    ]:
        settings = load_settings(ONLY_SECOND | {"incidence_preset_per_100k": repr(preset)})
        assert screen(cases(x=1, y=3), 1e6, settings).classes["reason"].to_pylist() == reasons


def test_the_first_screening_is_named_where_both_stop() -> None:
    """A2: a class that fails both screenings is told the one that came first."""
    settings = load_settings({"incidence_preset_per_100k": "0.001", "first_screening_share": "0"})
    table = screen(cases(x=1, y=3), 1e6, settings).classes
    assert table["reason"].to_pylist() == [ABOVE_PRESET, TOO_COMMON]


def test_rare_cases_are_those_of_kept_classes() -> None:
    """A2: every case of a class that passed both screenings is rare, no other."""
    settings = load_settings(ONLY_FIRST | {"first_screening_share": "0"})
    ids = pa.array(["common", "rare", "common", "common"], pa.string())
    found = screen(ids, 1e6, settings)
    assert found.is_rare.tolist() == [False, True, False, False]
