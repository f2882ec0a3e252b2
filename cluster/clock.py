"""Time as an argument: an instant is a number of seconds since 1970-01-01 UTC."""

import time
from datetime import UTC, datetime
from typing import Protocol

DAY_S = 86_400.0


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        return time.time()  # noqa: TID251 - the one place that asks the machine


class ManualClock:
    """A clock that stands until it is moved, for tests and simulations."""

    def __init__(self, instant: float) -> None:
        self.instant = instant

    def now(self) -> float:
        """Return the instant that was set."""
        return self.instant


def iso(instant: float) -> str:
    """Write an instant as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> float:
    """Read an ISO 8601 date or time; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
