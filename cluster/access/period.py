"""How long the first preset period of a platform is: inversely proportional to its visits (S500).

A busy platform shows within days what a quiet one shows within weeks. With T = T_ref * V_ref / V
every platform is expected to see the same number of events in its period, as long as T lies
between its bounds.
"""

import math

from cluster.errors import InputError
from cluster.settings import Settings


def visits_per_day(n_visits: float, window_days: float) -> float:
    """Return the mean visits a day over the days in which they were counted.

    Args:
        n_visits: visits of the whole platform within the window, 0 or more.
        window_days: length of the window in days, above 0.

    Raises:
        InputError: the visits are negative, or the window has no length.
    """
    if not (math.isfinite(n_visits) and n_visits >= 0):
        what = f"{n_visits} visits cannot be averaged"
        raise InputError(what, remedy="Count 0 or more visits.")
    if not (math.isfinite(window_days) and window_days > 0):
        what = f"a window of {window_days} days has no length"
        raise InputError(what, remedy="Average visits over more than 0 days.")
    return n_visits / window_days


def first_period_days(visits_per_day: float, settings: Settings) -> float:
    """Return the length of the first preset period in days (S500).

    T = T_ref * V_ref / V, held between the shortest and the longest period of the settings.
    A platform without visits gets the longest.

    Args:
        visits_per_day: visits V of the whole platform a day, 0 or more.
        settings: the reference length and visits, and both bounds.

    Raises:
        InputError: the visits are negative or not a number.
    """
    if math.isnan(visits_per_day) or visits_per_day < 0:
        what = f"{visits_per_day} visits a day give no period"
        raise InputError(what, remedy="Give 0 or more visits a day.")
    if visits_per_day == 0:
        return settings.period_days_max
    days = settings.period_days_ref * settings.visits_per_day_ref / visits_per_day
    return min(max(days, settings.period_days_min), settings.period_days_max)
