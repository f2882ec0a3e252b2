"""The decision: the first index, and after the return instruction the second."""

import math

import pytest

from cluster.sharing.decision import IndexRange, Origins, confirm, decide, returns

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


@pytest.mark.parametrize(
    ("by_platform", "share", "approved", "outcome"),
    [
        ({"north": 19, "south": 1}, 0.95, False, "upload"),
        ({"north": 20, "south": 1}, 0.95, False, "hold"),
        ({"north": 20, "south": 1}, 0.95, True, "upload"),
        ({"north": 1, "south": 1}, 0.5, False, "upload"),
        ({"north": 9}, 0.95, False, "hold"),
        ({"north": 9}, 0.95, True, "upload"),
        ({"north": 9}, 1.0, False, "upload"),
        ({}, 0.95, False, "hold"),
        ({}, 0.95, True, "upload"),
        ({}, 1.0, False, "upload"),
    ],
)
def test_one_platform_alone_sends_nothing_out(
    by_platform: dict[str, int], share: float, approved: bool, outcome: str
) -> None:
    """A10: an upload needs accesses from elsewhere too, or an operator; 1 turns the rule off."""
    first = decide(0.5, None, PRESET)
    verdict = confirm(first, Origins(by_platform, share, approved))
    assert verdict.outcome == outcome
    assert verdict.decided_by == ("first" if outcome == "upload" else "none")
    assert verdict.reason.startswith(first.reason)
    held = confirm(decide(0.0, None, PRESET), Origins(by_platform, share, approved))
    assert held == decide(0.0, None, PRESET)


def test_a_reason_names_the_platform_and_its_part() -> None:
    """A10: an operator sees from the reason which platform made the index."""
    verdict = decide(0.5, None, PRESET)
    held = confirm(verdict, Origins({"south": 1, "north": 99}, 0.95, approved=False))
    assert "99 of 100 accesses come from north" in held.reason
    assert "at most 95% may" in held.reason
    let = confirm(verdict, Origins({"south": 1, "north": 99}, 0.95, approved=True))
    assert let.reason.endswith("approved by an operator")
    assert "no access was counted" in confirm(verdict, Origins({}, 0.95, approved=False)).reason
