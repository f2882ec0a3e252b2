"""Which windows a member of the network learns from, stops by and is scored on (A6).

The split is by item and never by window. Items fall into ten slots by a hash of their id. Each
of the five members keeps two slots apart, stops by a third, and learns from the other seven; so
every item is kept apart by exactly one member. The figures of a model, its calibration and the
guard of its update are made on kept-apart items, and still no window is lost to learning.

Shapes: W windows, M members.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.errors import WindowInvalid
from cluster.trend.windows import Mask, Rows

N_MEMBERS: Final = 5
N_SLOTS: Final = 10
HELD_OUT_SLOTS: Final = N_SLOTS // N_MEMBERS
"""Slots that each member keeps apart."""
VALIDATION_SLOTS: Final = 1
SALT: Final = b"fold:"


@dataclass(frozen=True)
class Folds:
    """What each window is to each member."""

    training_MW: Mask
    """The member learns from it."""
    validation_MW: Mask
    """The member stops learning by it."""
    member_W: Rows
    """The member that keeps it apart."""

    def at(self, rows: Rows | Mask) -> "Folds":
        """Return the folds of some of the windows."""
        return Folds(self.training_MW[:, rows], self.validation_MW[:, rows], self.member_W[rows])


def slots(item_ids: "pa.Array[Any] | pa.ChunkedArray[Any]") -> Rows:
    """Return each item's slot, 0 to 9, by the SHA-256 of its id, shape [W].

    The same for every table, process and time.
    """
    encoded = pa.chunked_array([item_ids]) if isinstance(item_ids, pa.Array) else item_ids
    dictionary = pc.unique(encoded)
    heads = b"".join(
        hashlib.sha256(SALT + str(item).encode()).digest()[:8] for item in dictionary.to_pylist()
    )
    slot = (np.frombuffer(heads, dtype=">u8") % N_SLOTS).astype(np.int64)
    found: Rows = slot[pc.index_in(encoded, value_set=dictionary).to_numpy()]
    return found


def fold(item_ids: "pa.Array[Any] | pa.ChunkedArray[Any]") -> Folds:
    """Say for every window and member what the window is for."""
    slot_W = slots(item_ids)
    first_M = HELD_OUT_SLOTS * np.arange(N_MEMBERS)[:, None]
    after_MW = (slot_W[None, :] - first_M) % N_SLOTS
    is_validation_MW = (after_MW >= HELD_OUT_SLOTS) & (after_MW < HELD_OUT_SLOTS + VALIDATION_SLOTS)
    return Folds(
        training_MW=after_MW >= HELD_OUT_SLOTS + VALIDATION_SLOTS,
        validation_MW=is_validation_MW,
        member_W=slot_W // HELD_OUT_SLOTS,
    )


def require_all(folds: Folds, name: str) -> None:
    """Check that every member has windows to learn from, to stop by and to be scored on.

    Raises:
        WindowInvalid: there are too few items for that.
    """
    least = {
        "to learn from": int(folds.training_MW.sum(axis=1).min()),
        "to stop by": int(folds.validation_MW.sum(axis=1).min()),
        "kept apart": int(np.bincount(folds.member_W, minlength=N_MEMBERS).min()),
    }
    short = [what for what, count in least.items() if count == 0]
    if short:
        what = f"a member of the network has no windows {short[0]}"
        raise WindowInvalid(
            what, name, "Give windows of more items, some sixty are enough, or leave these out."
        )
