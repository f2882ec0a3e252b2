"""Which published figure may be used for what."""

import math
from typing import Any

import pytest

from cluster.screening.prevalence import (
    BIRTH,
    BROADER,
    COUNT,
    EXACT,
    INCIDENCE,
    LIFETIME,
    NARROWER,
    NOT_VALIDATED,
    POINT,
    UNCLEAR,
    PublishedRates,
    band_mean,
    band_of,
    preferred,
)
from tests.unit.screening.knowledge import a_rate, rate_table


def only(rates: PublishedRates) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the prior, if any, and what is shown beside the one class."""
    priors, (shown,) = rates.priors.to_pylist(), rates.rarities.to_pylist()
    return (priors[0] if priors else None), shown


@pytest.mark.parametrize(
    ("label", "ends", "mean"),
    [
        ("<1 / 1 000 000", (0.0, 0.1), 0.03),
        ("<1 / 1\N{NO-BREAK SPACE}000\N{NO-BREAK SPACE}000", (0.0, 0.1), 0.03),
        ("< 1/1,000,000", (0.0, 0.1), 0.03),
        ("1-9 / 1 000 000", (0.1, 0.9), 0.3),
        ("1-9 / 100 000", (1.0, 9.0), 3.0),
        ("1-5 / 10 000", (10.0, 50.0), math.sqrt(500)),
        ("6-9 / 10 000", (60.0, 90.0), math.sqrt(5400)),
        (">1 / 1000", (100.0, math.inf), 100.0),
        (">1 / 1,000", (100.0, math.inf), 100.0),
    ],
)
def test_bands_are_read_in_all_their_spellings(
    label: str, ends: tuple[float, float], mean: float
) -> None:
    """A2: per 100,000; the geometric mean of the ends, 0.03 for the open lowest band."""
    found = band_of(label)
    assert found == pytest.approx(ends)
    assert band_mean(*ends) == pytest.approx(mean)


@pytest.mark.parametrize("label", ["", "Unknown", " unknown ", "Not yet documented"])
def test_unknown_is_not_zero(label: str) -> None:
    """A2: a rate that is not known is none, never a small one."""
    assert band_of(label) is None


@pytest.mark.parametrize(
    "label",
    [
        "rare",
        "1-9",
        "1 / 0",
        "5 in 10 000",
        "<1 / 0",
        "<0 / 1000",
        ">0 / 1000",
        "0-0 / 1000",
        f"<{'9' * 400} / 1",
    ],
)
def test_what_is_no_band_is_an_error(label: str) -> None:
    """A2: a label that cannot be read is not guessed at."""
    with pytest.raises(ValueError, match="not a band"):
        band_of(label)


@pytest.mark.parametrize("kind", [POINT, BIRTH, LIFETIME])
def test_no_prevalence_is_a_prior_of_incidence(kind: str) -> None:
    """A2: another quantity is shown with its type, band, region and mapping, and used for nothing.

    To convert it one would need a duration, or a birth rate.
    """
    prior, shown = only(preferred(rate_table(a_rate(type=kind))))
    assert prior is None
    assert shown["published"] == f"{kind} 1-9 / 100 000, Worldwide, ORPHA:5 (exact, validated)"
    assert not shown["is_common"]


def test_a_number_of_families_is_no_rate() -> None:
    """A2: cases and families are neither a prior nor a rarity."""
    rates = preferred(rate_table(a_rate(type=COUNT)))
    assert (rates.priors.num_rows, rates.rarities.num_rows) == (0, 0)


@pytest.mark.parametrize(
    ("mapping", "is_prior"), [(EXACT, True), (BROADER, True), (NARROWER, False), (UNCLEAR, False)]
)
def test_a_mapping_that_errs_towards_rare_is_no_prior(mapping: str, is_prior: bool) -> None:
    """A2: a broader entity gives an upper bound and says so; a narrower one is not used."""
    prior, shown = only(preferred(rate_table(a_rate(mapping=mapping))))
    assert (prior is not None) is is_prior
    assert mapping in shown["published"]
    assert prior is None or mapping in prior["source"]


@pytest.mark.parametrize(
    "worse",
    [
        {"mapping": BROADER},
        {"status": NOT_VALIDATED},
        {"region": "Europe"},
        {"region": "Japan"},
        {"mapping": BROADER, "region": "Europe"},
    ],
)
def test_the_better_record_is_the_prior(worse: dict[str, Any]) -> None:
    """A2: exact before broader, validated before not, Worldwide before Europe before the rest."""
    rows = [a_rate(mean=3.0), a_rate(mean=90.0, **worse)]
    for given in (rows, rows[::-1]):
        prior, _ = only(preferred(rate_table(*given)))
        assert prior and prior["mean"] == pytest.approx(3.0)


def test_equal_records_are_put_together() -> None:
    """A2: of several regions none is picked by the alphabet; their geometric mean counts."""
    rows = [a_rate(region="Japan", mean=1.0), a_rate(region="Norway", mean=9.0)]
    prior, _ = only(preferred(rate_table(*rows, a_rate(region="Specific population", mean=500.0))))
    assert prior and prior["mean"] == pytest.approx(3.0)
    assert "mean of 2 records, Japan, Norway" in prior["source"]


@pytest.mark.parametrize(
    ("changes", "is_common"),
    [
        ({}, True),
        ({"region": "Europe"}, True),
        ({"mapping": NARROWER}, True),  # what holds a common entity is common
        ({"mapping": BROADER}, False),
        ({"mapping": UNCLEAR}, False),
        ({"type": BIRTH}, False),
        ({"type": INCIDENCE}, False),
        ({"region": "Greenland"}, False),
        ({"status": NOT_VALIDATED}, False),
        ({"low": 10.0}, False),
        ({"low": 50.0}, False),  # at most 5 in 10,000 is rare
    ],
)
def test_common_is_what_the_european_definition_says(
    changes: dict[str, Any], is_common: bool
) -> None:
    """A2: only a point prevalence above 5 in 10,000, of the class itself, Worldwide or Europe."""
    row = a_rate(**({"type": POINT, "low": 60.0, "mean": 73.0} | changes))
    _, shown = only(preferred(rate_table(row)))
    assert shown["is_common"] is is_common


@pytest.mark.parametrize("kind", [POINT, COUNT])
def test_a_flag_counts_without_a_rate(kind: str) -> None:
    """A2: the mark of an entity without a rate stops its class, and gives no figure."""
    bare = {"type": kind, "low": None, "mean": None, "flagged_common": True}
    prior, shown = only(preferred(rate_table(a_rate(**bare))))
    assert (prior, shown["is_common"]) == (None, True)
    assert shown["published"] == "NON RARE IN EUROPE, no rate"
    prior, shown = only(preferred(rate_table(a_rate(**bare), a_rate())))
    assert prior and prior["mean"] == pytest.approx(3.0)
    assert shown["is_common"] and "1-9 / 100 000" in shown["published"]
    none = preferred(rate_table(a_rate(**bare, mapping=BROADER)))
    assert (none.priors.num_rows, none.rarities.num_rows) == (0, 0)


def test_what_orphanet_flags_is_common() -> None:
    """A2: an entity that is named as not rare in Europe is so whatever its band."""
    _, shown = only(preferred(rate_table(a_rate(type=POINT, flagged_common=True))))
    assert shown["is_common"]
    _, shown = only(preferred(rate_table(a_rate(mapping=BROADER, flagged_common=True))))
    assert not shown["is_common"]
