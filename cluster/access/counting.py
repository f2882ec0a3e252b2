"""Which access events count, and how often a case was clicked and used in each bin (S500).

An event counts once, whatever its place in the batch and however often it was sent: the caller's
event id names it, and its own time, not the time of arrival, decides in which bin it lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cluster.contracts.access import CLICKS, EVENTS, KINDS, USAGES
from cluster.errors import EventInvalid, InputError

FUTURE_MAX_S: Final = 600.0
"""Seconds by which an event may lie after the receiver's present: clocks differ."""

REFUSED: Final = {
    "event_id_missing": "the event id is empty",
    "case_id_missing": "the case id is empty",
    "platform_missing": "the platform is empty",
    "user_missing": "the user is empty",
    "kind_unknown": f"the kind is none of {', '.join(KINDS)}",
    "time_not_finite": "the time is no finite number of seconds",
    "time_in_future": f"the time is more than {FUTURE_MAX_S:.0f} s in the future",
}
"""Why a row is refused: code and its meaning."""

Counts = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]
_Text: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"


@dataclass(frozen=True)
class Refusal:
    """A row of a batch that is not counted, and why; it never repeats what the row says."""

    row: int
    code: str
    message: str


def checked_events(table: pa.Table, *, now: float) -> tuple[pa.Table, list[Refusal]]:
    """Keep the rows of a batch that can be counted, each event id once (S500).

    Of rows with the same event id the first one that is not refused stays; dropping the others
    is no error, as every sender may try again.

    Args:
        table: columns named and typed as in ``EVENTS``, in any order; others are left out.
        now: the receiver's present, seconds since the epoch.

    Returns:
        The countable rows in their order, with the schema ``EVENTS``, and the refusals by row.

    Raises:
        EventInvalid: a column is missing or has another type.
    """
    events = _cast(table)
    refused: dict[str, _Mask] = {
        "event_id_missing": _is_blank(events, "event_id"),
        "case_id_missing": _is_blank(events, "case_id"),
        "platform_missing": _is_blank(events, "platform"),
        "user_missing": _is_blank(events, "user"),
        "kind_unknown": ~is_of_kind(events, KINDS),
    }
    times = np.asarray(events["at"], dtype=np.float64)  # null becomes NaN
    refused["time_not_finite"] = ~np.isfinite(times)
    refused["time_in_future"] = times > now + FUTURE_MAX_S
    masks = np.stack([refused[code] for code in REFUSED])
    kept = events.filter(pa.array(np.logical_not(masks.any(axis=0))))
    first = kept.filter(pa.array(_is_first(kept["event_id"])))
    return first.cast(EVENTS), _refusals(masks)


def bin_counts(
    events: pa.Table, *, cases: Sequence[str], start: float, bin_s: float, n_bins: int
) -> tuple[Counts, Counts]:
    """Count the clicks and the usages of each case in equal bins of time (S500).

    An event at time t lies in bin ``floor((t - start) / bin_s)``: a bin holds its first instant
    and not its last. Events before the first bin, after the last, or of other cases are left out.

    Args:
        events: checked events with the schema ``EVENTS``.
        cases: distinct case ids, one for each row of the result.
        start: first instant of the first bin, seconds since the epoch.
        bin_s: length of a bin in seconds, above 0.
        n_bins: number of bins, 1 or more.

    Returns:
        Clicks and usages, each of shape [cases, bins].

    Raises:
        InputError: a case is named twice, or the bins have no length or number.
    """
    if len(set(cases)) != len(cases):
        what = "a case is named twice"
        raise InputError(what, where="bin_counts", remedy="Name each case once.")
    if not bin_s > 0 or n_bins < 1:
        what = f"{n_bins} bins of {bin_s} s hold nothing"
        raise InputError(what, where="bin_counts", remedy="Use at least one bin above 0 s.")
    row = positions_in(events["case_id"], pa.array(cases, pa.string()))
    column = np.floor((np.asarray(events["at"], dtype=np.float64) - start) / bin_s)
    inside = (row >= 0) & (column >= 0) & (column < n_bins)
    shape = (len(cases), n_bins)

    def count(kinds: Sequence[str]) -> Counts:
        counted = inside & is_of_kind(events, kinds)
        cell = row[counted] * n_bins + column[counted].astype(np.int64)
        return np.bincount(cell, minlength=shape[0] * shape[1]).astype(np.int64).reshape(shape)

    return count(CLICKS), count(USAGES)


def is_of_kind(events: pa.Table, kinds: Sequence[str]) -> _Mask:
    """Mark the events that are of one of the kinds, shape [events]."""
    return np.asarray(pc.is_in(events["kind"], value_set=pa.array(kinds)), dtype=np.bool_)


def positions_in(column: _Text, among: "pa.Array[Any]") -> Counts:
    """Return where each value stands among others, -1 where it does not, shape [values]."""
    found = pc.index_in(column, value_set=among, skip_nulls=True)
    return np.asarray(found.fill_null(-1), dtype=np.int64)


def _cast(table: pa.Table) -> pa.Table:
    """Bring the columns into the order and types of the contract; nulls are judged later."""
    columns = []
    for field in EVENTS:
        if table.schema.get_field_index(field.name) < 0:
            what = f"column {field.name} is missing, or is there twice"
            raise EventInvalid(what, remedy=f"Send {', '.join(EVENTS.names)}, each once.")
        column = table[field.name]
        try:
            if not _is_castable(column.type, field.type):
                raise pa.ArrowInvalid
            columns.append(column.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            what = f"column {field.name} is {column.type}, not {field.type}"
            raise EventInvalid(what, remedy="Send ids as text and times as seconds.") from None
    fields = [pa.field(field.name, field.type) for field in EVENTS]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _is_castable(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether a column says the same in the wanted type: text stays text, numbers numbers."""
    if pa.types.is_dictionary(given):
        given = given.value_type
    if pa.types.is_null(given):
        return True
    if pa.types.is_string(wanted):
        return pa.types.is_string(given) or pa.types.is_large_string(given)
    return pa.types.is_integer(given) or pa.types.is_floating(given)


def _is_blank(events: pa.Table, name: str) -> _Mask:
    """Mark the rows whose text is null, empty or white space."""
    blank = pa.array([None, ""], pa.string())
    trimmed = pc.utf8_trim_whitespace(events[name])
    return np.asarray(pc.is_in(trimmed, value_set=blank), dtype=np.bool_)


def _is_first(ids: "pa.ChunkedArray[Any]") -> _Mask:
    """Mark the rows whose id was not met before.

    A dictionary numbers ids as they appear, so a new one has a number above all before it.
    """
    if not len(ids):
        return np.zeros(0, dtype=np.bool_)
    codes = np.asarray(ids.combine_chunks().dictionary_encode().indices, dtype=np.int64)
    return codes > np.concatenate(([-1], np.maximum.accumulate(codes)[:-1]))


def _refusals(masks: _Mask) -> list[Refusal]:
    """Name the first reason of every refused row; masks are [reasons, rows]."""
    rows = np.flatnonzero(masks.any(axis=0))
    codes = list(REFUSED)
    first = np.argmax(masks[:, rows], axis=0)
    return [
        Refusal(int(row), codes[reason], f"row {row} is refused: {REFUSED[codes[reason]]}")
        for row, reason in zip(rows, first, strict=True)
    ]
