"""How often a caller may call: a bucket of tokens each, which fills with time."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

CALLERS_MAX: Final = 10_000
"""Callers that are remembered; who called longest ago is forgotten, with a full bucket."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """A rate with a burst, for each caller by itself."""

    def __init__(self, per_s: float, burst: float) -> None:
        """Set the limit.

        Args:
            per_s: calls a second that go on for ever.
            burst: calls at once after a rest.
        """
        self._per_s, self._burst = per_s, burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, caller: str, now: float, cost: float = 1.0) -> float:
        """Take a call of a caller; returns 0, or the seconds after which it may come again.

        Args:
            caller: who calls.
            now: seconds, which may come from any clock that does not go back.
            cost: calls that this one counts for.
        """
        bucket = self._buckets.pop(caller, None) or _Bucket(self._burst, now)
        bucket.left = min(self._burst, bucket.left + max(now - bucket.at, 0.0) * self._per_s)
        bucket.at = now
        self._buckets[caller] = bucket
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        if bucket.left < cost:
            return (cost - bucket.left) / self._per_s
        bucket.left -= cost
        return 0.0
