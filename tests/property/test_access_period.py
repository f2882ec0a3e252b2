"""The first preset period for any visits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.access.period import first_period_days
from cluster.settings import Settings

SETTINGS = Settings()
visits = st.floats(min_value=0, allow_infinity=True, allow_nan=False)


@settings(deadline=None)
@given(visits, visits)
def test_more_visits_never_make_the_period_longer(one: float, other: float) -> None:
    """A5: the period falls, or stays, as visits rise, and keeps within its bounds."""
    few, many = sorted([one, other])
    longer, shorter = first_period_days(few, SETTINGS), first_period_days(many, SETTINGS)
    assert SETTINGS.period_days_min <= shorter <= longer <= SETTINGS.period_days_max


@settings(deadline=None)
@given(st.floats(min_value=500, max_value=2000))
def test_between_the_bounds_each_period_holds_as_many_visits(per_day: float) -> None:
    """A5: within the bounds, length times visits a day is the same for every platform."""
    expected = SETTINGS.period_days_ref * SETTINGS.visits_per_day_ref
    assert first_period_days(per_day, SETTINGS) * per_day == pytest.approx(expected)
