"""The first preset period at hand-picked visits."""

import pytest

from cluster.access.period import first_period_days, visits_per_day
from cluster.errors import InputError
from cluster.settings import Settings

SETTINGS = Settings(
    period_days_ref=14.0, visits_per_day_ref=1000.0, period_days_min=7.0, period_days_max=28.0
)


@pytest.mark.parametrize(
    ("visits", "days"),
    [(0, 28), (1e-300, 28), (500, 28), (800, 17.5), (1000, 14), (1600, 8.75), (2000, 7), (1e12, 7)],
)
def test_the_period_is_inversely_proportional_to_the_visits(visits: float, days: float) -> None:
    """A5: T = T_ref * V_ref / V within its bounds; a platform without visits gets the longest."""
    assert first_period_days(visits, SETTINGS) == pytest.approx(days)


def test_visits_are_averaged_over_their_window() -> None:
    """A5: 280 visits in 28 days are 10 a day."""
    assert visits_per_day(280, 28) == 10


@pytest.mark.parametrize("visits", [-1.0, float("nan")])
def test_visits_below_nothing_are_refused(visits: float) -> None:
    """A5: negative visits, or none that is a number, give no period."""
    with pytest.raises(InputError):
        first_period_days(visits, SETTINGS)
    with pytest.raises(InputError):
        visits_per_day(visits, 28)


@pytest.mark.parametrize("window", [0.0, -3.0, float("nan"), float("inf")])
def test_a_window_without_length_is_refused(window: float) -> None:
    """A5: visits are averaged over a finite number of days above 0."""
    with pytest.raises(InputError):
        visits_per_day(1, window)
