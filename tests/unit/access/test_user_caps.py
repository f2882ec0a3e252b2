"""How many events of one user count in a period, and where the counted ones come from."""

import numpy as np
import pyarrow as pa
import pytest

from cluster.access.caps import accesses_by_platform, within_user_cap
from cluster.errors import InputError


def batch(at: list[float], **columns: list[str]) -> pa.Table:
    n = len(at)
    same = {"case_id": ["a"] * n, "kind": ["view"] * n, "platform": ["p"] * n, "user": ["u"] * n}
    texts = {name: pa.array(column, pa.string()) for name, column in (same | columns).items()}
    return pa.table({"at": pa.array(at, pa.float64())} | texts)


def counted(events: pa.Table, most: int = 1, start: float = 0.0) -> list[bool]:
    mask = within_user_cap(events, start=start, period_s=10.0, user_events_max=most)
    return mask.tolist()


def test_the_earliest_events_of_a_burst_count() -> None:
    """A5: a user who clicks a hundred times counts up to the maximum, whatever came in first."""
    at = list(np.random.default_rng(1).permutation(100) / 10.0)
    mask = counted(batch(at), most=3)
    assert sorted(t for t, is_in in zip(at, mask, strict=True) if is_in) == [0.0, 0.1, 0.2]


@pytest.mark.parametrize("column", ["case_id", "kind", "platform", "user"])
def test_a_maximum_is_for_each_user_kind_and_case(column: str) -> None:
    """A5: another case, kind, platform or user has a maximum of its own."""
    values = ["x", "x", "y", "y"]
    assert counted(batch([1.0, 2.0, 3.0, 4.0], **{column: values})) == [True, False, True, False]


def test_each_period_has_a_maximum_of_its_own() -> None:
    """A5: a period holds its first instant and not its last; there are periods before the start."""
    at = [-10.5, -10.0, -0.5, 0.0, 9.5, 10.0]
    assert counted(batch(at)) == [True, True, False, True, False, True]
    assert counted(batch(at), start=0.25) == [True, False, True, False, True, False]


def test_nothing_is_counted_of_nothing() -> None:
    """A5: an empty history is no special case."""
    assert counted(batch([])) == []
    assert accesses_by_platform(batch([]), ["a"]) == {"a": {}}


@pytest.mark.parametrize(("period_s", "most"), [(0.0, 1), (float("nan"), 1), (1.0, 0)])
def test_a_cap_that_counts_nothing_is_refused(period_s: float, most: int) -> None:
    """A5: a period without length, or a maximum of none, is an error and not a count of 0."""
    with pytest.raises(InputError):
        within_user_cap(batch([1.0]), start=0.0, period_s=period_s, user_events_max=most)


def test_accesses_are_counted_by_where_they_happened() -> None:
    """A10: clicks and usages together, of the cases that are asked for."""
    events = batch(
        [1.0] * 5,
        case_id=["a", "a", "a", "b", "other"],
        kind=["view", "cite", "open", "share", "view"],
        platform=["q", "p", "q", "p", "p"],
    )
    assert accesses_by_platform(events, ["a", "b", "c"]) == {
        "a": {"p": 1, "q": 2},
        "b": {"p": 1},
        "c": {},
    }
