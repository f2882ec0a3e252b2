"""Instants are seconds in UTC, written and read the same."""

import pytest

from cluster.clock import ManualClock, SystemClock, iso, parse_iso


def test_an_instant_is_written_in_utc_and_read_back() -> None:
    """A5: 2000-01-01 is 946,684,800 seconds after the epoch, and comes back."""
    assert iso(946_684_800.0) == "2000-01-01T00:00:00Z"
    assert parse_iso("2000-01-01T00:00:00Z") == 946_684_800.0


@pytest.mark.parametrize("text", ["2000-01-01", "2000-01-01T00:00:00", "2000-01-01T02:00:00+02:00"])
def test_a_time_without_a_zone_is_utc(text: str) -> None:
    """A5: a time without a zone is UTC, and an offset is honoured."""
    assert parse_iso(text) == 946_684_800.0


def test_a_manual_clock_stands_until_it_is_moved() -> None:
    """A13: time is an argument."""
    clock = ManualClock(5.0)
    assert (clock.now(), clock.now()) == (5.0, 5.0)
    clock.instant = 6.0
    assert clock.now() == 6.0


def test_the_system_clock_counts_from_the_epoch() -> None:
    """A5: the machine's clock gives seconds, later than this test was written."""
    assert SystemClock().now() > parse_iso("2025-01-01")
