"""Which access windows are for what: training, updating, predicting (S600, S540, S700)."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc


@dataclass(frozen=True)
class WindowSets:
    """Windows of all platforms, divided by what is known of them."""

    current: pa.Table
    """End now; their future is not known: what is predicted."""
    new: pa.Table
    """The newest ones of each platform whose future is known: what the update learns from."""
    old: pa.Table
    """All earlier ones: what the first model is trained on."""


def divide(windows: pa.Table) -> WindowSets:
    """Divide windows into current, new and old ones, each platform by its own cuts."""
    is_known = np.asarray(windows["fut_total"].is_valid())
    known = windows.filter(pa.array(is_known))
    newest = known.group_by("platform").aggregate([("cut", "max")])
    place = pc.index_in(known["platform"], value_set=newest["platform"])
    is_new = pc.equal(known["cut"], newest["cut_max"].take(place))
    return WindowSets(
        current=windows.filter(pa.array(~is_known)),
        new=known.filter(is_new),
        old=known.filter(pc.invert(is_new)),
    )


def to_bytes(windows: pa.Table) -> bytes:
    """Write windows as an Arrow IPC file; the same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    with ipc.new_file(sink, windows.schema) as writer:
        writer.write_table(windows.combine_chunks())
    return sink.getvalue().to_pybytes()
