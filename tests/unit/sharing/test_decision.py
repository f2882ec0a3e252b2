"""The decision: the first index, and after the return instruction the second."""

import math

import pytest

from cluster.sharing.decision import IndexRange, decide, returns

PRESET = IndexRange(0.3, 0.8)
BELOW, ABOVE = math.nextafter(0.3, 0), math.nextafter(0.8, 1)


@pytest.mark.parametrize(
    ("first", "second", "outcome", "by"),
    [
        (0.5, None, "upload", "first"),
        (0.5, 0.1, "upload", "first"),
        (0.3, None, "upload", "first"),
        (0.8, None, "upload", "first"),
        (BELOW, None, "hold", "none"),
        (ABOVE, None, "hold", "none"),
        (BELOW, 0.3, "upload", "second"),
        (ABOVE, 0.8, "upload", "second"),
        (0.0, BELOW, "hold", "none"),
        (1.0, ABOVE, "hold", "none"),
        (math.nan, None, "hold", "none"),
        (math.nan, 0.5, "upload", "second"),
        (0.0, math.nan, "hold", "none"),
    ],
)
def test_the_decision_table(first: float, second: float | None, outcome: str, by: str) -> None:
    """A10: the ends belong to the range, the second index is asked only outside, NaN is outside."""
    verdict = decide(first, second, PRESET)
    assert (verdict.outcome, verdict.decided_by) == (outcome, by)
    assert returns(first, PRESET) == (by != "first")
    assert verdict.reason.startswith(f"first index {first:.3f}")
    assert ("return instruction" in verdict.reason) == returns(first, PRESET)


def test_a_reason_says_what_was_missing() -> None:
    """A10: a hold without a second model differs from one where the second index was outside."""
    assert "no second model" in decide(0.0, None, PRESET).reason
    assert "second index 0.100" in decide(0.0, 0.1, PRESET).reason
    assert "[0.3, 0.8]" in decide(0.5, None, PRESET).reason
