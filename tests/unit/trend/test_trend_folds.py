"""Which windows a member learns from, stops by and keeps apart."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from cluster.errors import WindowInvalid
from cluster.trend.folds import N_MEMBERS, fold, require_all, slots

ITEMS = [f"case-{row % 700}" for row in range(1000)]


def slot_of(item: str) -> int:
    return int.from_bytes(hashlib.sha256(f"fold:{item}".encode()).digest()[:8], "big") % 10


def test_the_slot_is_that_of_the_digest_of_the_item() -> None:
    """A6: items are divided by their id alone, the same in every table and chunking, evenly."""
    expected = [slot_of(item) for item in ITEMS]
    assert slots(pa.array(ITEMS)).tolist() == expected
    assert slots(pa.chunked_array([ITEMS[:300], [], ITEMS[300:]])).tolist() == expected
    assert slots(pa.array(ITEMS[::-1])).tolist() == expected[::-1]
    assert slots(pa.array([], pa.string())).tolist() == []
    assert np.bincount(expected).min() > 60


def test_each_member_keeps_two_slots_apart_stops_by_one_and_learns_from_seven() -> None:
    """A6: no member learns from or stops by what it is scored on; every window is scored once."""
    folds = fold(pa.array(ITEMS))
    slot_W = np.array([slot_of(item) for item in ITEMS])
    for member in range(N_MEMBERS):
        apart = folds.member_W == member
        parts = [apart, folds.validation_MW[member], folds.training_MW[member]]
        assert np.array_equal(np.sum(parts, axis=0), np.ones(1000))
        found = [sorted(set(slot_W[part].tolist())) for part in parts]
        assert [len(part) for part in found] == [2, 1, 7]
        assert found[0] == [2 * member, 2 * member + 1]


def test_all_windows_of_an_item_are_in_one_part() -> None:
    """A6: the split is by item and never by window."""
    folds = fold(pa.array(ITEMS))
    for first in range(300):
        again = first + 700
        assert folds.member_W[first] == folds.member_W[again]
        assert np.array_equal(folds.training_MW[:, first], folds.training_MW[:, again])
        assert np.array_equal(folds.validation_MW[:, first], folds.validation_MW[:, again])


def test_a_window_is_kept_apart_by_the_member_of_its_slot() -> None:
    """A6: of five members' figures of a window, the one counts that never met its item."""
    folds = fold(pa.array(ITEMS))
    assert folds.member_W.tolist() == [slot_of(item) // 2 for item in ITEMS]
    some = folds.at(np.array([5, 3, 9]))
    assert some.member_W.tolist() == folds.member_W[[5, 3, 9]].tolist()
    assert np.array_equal(some.training_MW, folds.training_MW[:, [5, 3, 9]])


@pytest.mark.parametrize("slot", [0, 1, 4, 7])
def test_too_few_items_are_refused(slot: int) -> None:
    """A6: with items of one slot only, some member has nothing to learn from or to stop by."""
    items = [item for item in ITEMS if slot_of(item) == slot]
    with pytest.raises(WindowInvalid, match="a member of the network has no windows"):
        require_all(fold(pa.array(items)), "north")
    require_all(fold(pa.array(ITEMS)), "north")
