"""Access windows as arrays: which tables are windows, and what each row holds (S600, S620).

Windows of one table may have several shapes: a shape is how many bins are seen and how many are
forecast. Rows of one shape are taken together, as their counts fit into one array.

Shapes: W windows of a table, R rows of one shape, T bins of the period.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cluster.contracts.trend import CHANNELS, PLACES, WINDOWS, Channel
from cluster.errors import WindowInvalid

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

COUNT_MAX: Final = 2.0**53
"""Above it a count is no longer a whole number in a float64."""
BINS_MAX: Final = 4096
"""Bins that a period or a horizon may have."""


class Shape(NamedTuple):
    """How many bins are seen, and how many are forecast."""

    n_obs: int
    n_fut: int

    def __str__(self) -> str:
        """Name the shape for a person."""
        return f"{self.n_obs} bins seen, {self.n_fut} forecast"


@dataclass(frozen=True)
class Histories:
    """The counts of all windows of one shape."""

    shape: Shape
    rows: Rows
    """Their rows in the table, shape [R]."""
    clicks_RT: Floats
    """NaN where the source tells no clicks; so for usages and places."""
    usages_RT: Floats
    places_RT: tuple[Floats, ...]
    first_seen_R: Floats
    """Bins before the case was there; 0 where that is not known."""

    @property
    def accesses_RT(self) -> Floats:
        """Clicks and usages together, as far as they are told."""
        return np.nan_to_num(self.clicks_RT) + np.nan_to_num(self.usages_RT)


def conformed(windows: pa.Table) -> pa.Table:
    """Return the windows with the columns and types of ``WINDOWS``.

    Raises:
        WindowInvalid: a column is missing, has another type, or lacks a value it must have.
    """
    missing = sorted(set(WINDOWS.names) - set(windows.column_names))
    if missing:
        what = f"no column {', '.join(missing)}"
        raise WindowInvalid(what, "access windows", "Give every column of the windows schema.")
    if len(set(windows.column_names)) < len(windows.column_names):
        what = "two columns have one name"
        raise WindowInvalid(what, "access windows", "Give each only once.")
    try:
        return windows.select(WINDOWS.names).cast(WINDOWS)
    except (ValueError, NotImplementedError) as error:
        what = f"columns do not fit the windows schema: {error}"
        raise WindowInvalid(what, "access windows", "Cast them first.") from None


def without(windows: pa.Table, channels: Collection[Channel]) -> pa.Table:
    """Return the windows as if their source did not tell some ``CHANNELS``."""
    table = conformed(windows)
    for column in (column for channel in channels for column in CHANNELS[channel]):
        field = WINDOWS.field(column)
        place = WINDOWS.get_field_index(column)
        table = table.set_column(place, field, pa.nulls(table.num_rows, field.type))
    return table


def numbers(table: pa.Table, column: str) -> Floats:
    """Return a numeric column, shape [W]; null becomes NaN."""
    return _numbers_of(table[column])


def known_numbers(table: pa.Table, column: str) -> Floats:
    """Return a numeric column whose null, and nothing else, means not known, shape [W].

    Raises:
        WindowInvalid: a value is NaN or infinite.
    """
    found_W = numbers(table, column)
    is_told_W = np.asarray(pc.is_valid(table[column]).to_numpy(), dtype=np.bool_)
    refuse(table, f"{column} is not a number", is_told_W & ~np.isfinite(found_W))
    return found_W


def shapes_of(table: pa.Table) -> tuple[tuple[Shape, ...], Rows]:
    """Return the shapes in a table, in order, and the place of each row's shape in them [W].

    Raises:
        WindowInvalid: a number of bins is not a whole one from 1 on.
    """
    bins_W2 = np.column_stack([numbers(table, "n_obs"), numbers(table, "n_fut")])
    good_W: Mask = np.all((bins_W2 >= 1) & (bins_W2 <= BINS_MAX), axis=1)
    refuse(table, f"n_obs or n_fut is not between 1 and {BINS_MAX}", ~good_W)
    code_W = bins_W2.astype(np.int64) @ (BINS_MAX + 1, 1)  # one number sorts faster than a row
    found_S, place_W = np.unique(code_W, return_inverse=True)
    shapes = tuple(Shape(*divmod(code, BINS_MAX + 1)) for code in found_S.tolist())
    return shapes, place_W.astype(np.int64)


def histories(table: pa.Table) -> Iterator[Histories]:
    """Yield the counts of the windows, shape by shape.

    Raises:
        WindowInvalid: a row has neither clicks nor usages, a list has not ``n_obs`` counts, or a
            count is negative or not a number; the message names the first such row.
    """
    told_W = pc.or_(pc.is_valid(table["clicks"]), pc.is_valid(table["usages"])).to_numpy()
    refuse(table, "there are neither clicks nor usages", ~np.asarray(told_W, dtype=bool))
    first_seen_W = known_numbers(table, "first_seen")
    refuse(table, "first_seen is negative", first_seen_W < 0)
    shapes, place_W = shapes_of(table)
    for place, shape in enumerate(shapes):
        rows = np.flatnonzero(place_W == place).astype(np.int64)
        yield Histories(
            shape=shape,
            rows=rows,
            clicks_RT=_counts(table, "clicks", rows, shape.n_obs),
            usages_RT=_counts(table, "usages", rows, shape.n_obs),
            places_RT=tuple(_counts(table, name, rows, shape.n_obs) for name in PLACES),
            # What is seen later is not known yet: then it was not there in all of the window.
            first_seen_R=np.nan_to_num(first_seen_W[rows]).clip(max=shape.n_obs),
        )


def refuse(table: pa.Table, what: str, bad_W: Mask) -> None:
    """Raise for the first bad row, if there is one.

    Raises:
        WindowInvalid: names the window and the row.
    """
    if bad_W.any():
        row = int(bad_W.argmax())
        where = f"window {table['sample_id'][row].as_py()!r}, row {row}"
        raise WindowInvalid(what, where, "Correct or leave out the window.")


def _numbers_of(values: "pa.Array[Any] | pa.ChunkedArray[Any]") -> Floats:
    return np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _counts(table: pa.Table, column: str, rows: Rows, n_obs: int) -> Floats:
    """Return a list column of some rows as counts, shape [R, T]; NaN in rows that have no list."""
    part = table[column].take(rows)
    told_R: Mask = np.asarray(pc.is_valid(part).to_numpy(), dtype=np.bool_)
    short_R = told_R & (_numbers_of(pc.list_value_length(part)) != n_obs)
    _refuse_some(table, f"{column} has not n_obs = {n_obs} bins", rows, short_R)
    given_RT = _numbers_of(pc.list_flatten(part)).reshape(-1, n_obs)
    bad_R = np.zeros(len(rows), dtype=np.bool_)
    bad_R[told_R] = ~np.all((given_RT >= 0) & (given_RT <= COUNT_MAX), axis=1)
    what = f"{column} has a count that is negative, no number or above 2^53"
    _refuse_some(table, what, rows, bad_R)
    counts_RT = np.full((len(rows), n_obs), np.nan)
    counts_RT[told_R] = given_RT
    return counts_RT


def _refuse_some(table: pa.Table, what: str, rows: Rows, bad_R: Mask) -> None:
    """Raise for the first bad one of some rows, as a row of the table."""
    bad_W = np.zeros(table.num_rows, dtype=np.bool_)
    bad_W[rows] = bad_R
    refuse(table, what, bad_W)
