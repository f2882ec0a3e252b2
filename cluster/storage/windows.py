"""Reads the access windows that a scientist gives as a Parquet file, writes forecasts (S600 S700).

Two layouts are read: the product's own columns (``WINDOWS``), and those of a table of supervised
windows in which ``track`` names the source and ``cohort`` the month. Columns that are neither are
passed over. Each window is looked at again where it becomes features; here is decided only
whether the file is a table of windows at all.
"""

from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet, types

from cluster.contracts.trend import PLACES, WINDOWS
from cluster.errors import SourceUnreadable, WindowInvalid
from cluster.storage.files import write_durably

REQUIRED: Final = ("sample_id", "item_id", "bin_days", "n_obs", "n_fut")
COUNTS: Final = ("clicks", "usages", *PLACES)
FLAGS: Final = ("hot", "surge")
UNNAMED: Final = "unnamed"
"""Source of windows that name none. Not the file's name: the same windows stay the same."""
VALUES_MAX: Final = 1 << 28
"""Values of one column. A small Parquet file can state many more of them than fit in memory."""
MONTH: Final = r"^(19[7-9]|20\d|21\d)\d-?(0[1-9]|1[0-2])$"

Column: TypeAlias = "pa.ChunkedArray[Any]"


def read_windows(path: Path) -> pa.Table:
    """Read access windows from a Parquet file, in their order.

    ``track`` stands for ``platform``. A ``cohort`` that is a month (YYYY-MM or YYYYMM) gives the
    cut where there is no other: the first instant of that month, UTC. It is the month by which the
    source groups its windows, of the cut or of the item's beginning; within a source the same.
    Columns that a window may lack become null, and so do NaN in their place.

    Returns:
        Windows of the ``WINDOWS`` schema, with labels where the file has them.

    Raises:
        SourceUnreadable: the file cannot be read, has no windows, or lacks a column.
        WindowInvalid: a column has another type, or a row lacks what it must have or has the
            ``sample_id`` of another.
    """
    table = _renamed(_read(path), path)
    columns = {name: _column(table, name, path) for name in WINDOWS.names}
    windows = pa.table(columns, schema=WINDOWS).combine_chunks()
    _refuse_repeated(windows, path)
    return windows


def write_forecasts(path: Path, forecasts: pa.Table) -> None:
    """Write forecasts of windows as Parquet, whole or not at all."""
    sink = pa.BufferOutputStream()
    parquet.write_table(forecasts, sink)
    write_durably(path, sink.getvalue().to_pybytes())


def _read(path: Path) -> pa.Table:
    """Read the columns that are of use.

    Raises:
        SourceUnreadable: it is not a readable Parquet file, is empty or too large, or names a
            column twice.
    """
    wanted = {*WINDOWS.names, "track", "cohort"}
    if not path.exists():
        what = "there is no such file"
        raise SourceUnreadable(what, str(path), "Check the path.")
    try:
        file = parquet.ParquetFile(path)
        names = [name for name in file.schema_arrow.names if name in wanted]
        if len(names) != len(set(names)):
            what = "two columns have the same name"
            raise SourceUnreadable(what, str(path), "Name each column once.")
        if _values_max(file.metadata) > VALUES_MAX:
            what = f"a column has more than {VALUES_MAX:,} values"
            raise SourceUnreadable(what, str(path), "Give the windows in several files.")
        table = file.read(columns=names)
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        what = f"it cannot be read as Parquet of access windows ({type(error).__name__})"
        raise SourceUnreadable(what, str(path), "Write it again, as Parquet.") from None
    if table.num_rows == 0:
        what = "there are no windows in it"
        raise SourceUnreadable(what, str(path), "Give at least one row.")
    return table


def _values_max(about: parquet.FileMetaData) -> int:
    """Return how many values the longest column has, as the file states it."""
    columns: NDArray[np.int64] = np.zeros(about.num_columns + 1, dtype=np.int64)
    for group in range(about.num_row_groups):
        chunks = about.row_group(group)
        columns[:-1] += [chunks.column(at).num_values for at in range(about.num_columns)]
    return max(int(columns.max()), about.num_rows)


def _renamed(table: pa.Table, path: Path) -> pa.Table:
    """Return the table with the product's names.

    Raises:
        SourceUnreadable: a column is missing.
    """
    if "platform" not in table.column_names:
        source = table["track"] if "track" in table.column_names else None
        table = table.append_column(
            "platform", pa.repeat(UNNAMED, table.num_rows) if source is None else source
        )
    missing = [name for name in REQUIRED if name not in table.column_names]
    if not {"clicks", "usages"} & set(table.column_names):
        missing.append("clicks or usages")
    if missing:
        what = f"no column {', '.join(missing)}"
        remedy = f"Windows have {', '.join(REQUIRED)}, and clicks or usages or both."
        raise SourceUnreadable(what, str(path), remedy)
    return table


def _column(table: pa.Table, name: str, path: Path) -> Column:
    """Return one column of ``WINDOWS`` in its type.

    Raises:
        WindowInvalid: it has another type, or a row lacks what it must have.
    """
    kind = WINDOWS.field(name).type
    if name == "cut":
        return _cuts(table, path)
    if name not in table.column_names or types.is_null(table[name].type):
        made: Column = pa.chunked_array([pa.nulls(table.num_rows, kind)])
    else:
        values = table[name]
        if not _fits(values.type, name):
            what = f"column {name} is of type {values.type}"
            raise WindowInvalid(what, str(path), f"Write it as {kind}.")
        try:
            made = _converted(values, name, path)
        except pa.ArrowException as error:
            what = f"column {name} cannot be read as {kind}: {error}"
            raise WindowInvalid(what, str(path), "Correct its values.") from None
    if not WINDOWS.field(name).nullable and made.null_count:
        row = int(np.asarray(made.is_null().to_numpy()).argmax())
        what = f"column {name} has no value"
        raise WindowInvalid(what, f"{path}, row {row}", "Fill it, or leave out the row.")
    return made


def _fits(kind: "pa.DataType", name: str) -> bool:
    """Say whether a column's type can stand for that of ``WINDOWS``."""
    if name in COUNTS:
        if isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType):
            return _is_number(kind.value_type) or types.is_null(kind.value_type)
        return False
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    if types.is_string(WINDOWS.field(name).type):
        is_text = types.is_string(kind) or types.is_large_string(kind)
        return is_text or types.is_integer(kind)
    return _is_number(kind) or (name in FLAGS and types.is_boolean(kind))


def _is_number(kind: "pa.DataType") -> bool:
    return types.is_integer(kind) or types.is_floating(kind)


def _converted(values: Column, name: str, path: Path) -> Column:
    kind = WINDOWS.field(name).type
    if name in FLAGS:
        return _flags(values, name, path)
    return _floats(values) if types.is_float64(kind) else values.cast(kind)


def _floats(values: Column) -> Column:
    """Return numbers; NaN, which some writers put for a missing one, becomes null."""
    numbers = np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)
    # What lies under a null is part of the bytes by which windows are named.
    is_missing = np.isnan(numbers)
    filled = np.where(is_missing, 0.0, numbers)
    return pa.chunked_array([pa.array(filled, pa.float64(), mask=is_missing)])


def _flags(values: Column, name: str, path: Path) -> Column:
    numbers = _floats(values)
    is_missing = np.asarray(numbers.is_null().to_numpy())
    filled = np.nan_to_num(np.asarray(numbers.to_numpy(), dtype=np.float64))
    bad = (filled != 0) & (filled != 1)
    if bad.any():
        what = f"column {name} is neither 0 nor 1"
        where = f"{path}, row {int(bad.argmax())}"
        raise WindowInvalid(what, where, "Write 0 or 1, or nothing where it is not known.")
    return pa.chunked_array([pa.array(filled == 1, pa.bool_(), mask=is_missing)])


def _cuts(table: pa.Table, path: Path) -> Column:
    """Return the cuts; where none is told, the beginning of the month in ``cohort``."""
    given: Column = pa.chunked_array([pa.nulls(table.num_rows, pa.float64())])
    if "cut" in table.column_names:
        if not (_is_number(table["cut"].type) or types.is_null(table["cut"].type)):
            what = f"column cut is of type {table['cut'].type}"
            raise WindowInvalid(what, str(path), "Write it as seconds since 1970, a number.")
        given = _floats(table["cut"])
    if "cohort" not in table.column_names:
        return given
    cohort = table["cohort"]
    if not (_fits(cohort.type, "platform")):
        return given
    text = cohort.cast(pa.string())
    is_month = pc.match_substring_regex(text, MONTH)
    digits = pc.replace_substring(text, "-", "")
    months = pc.binary_join_element_wise(pc.if_else(is_month, digits, None), "01", "")
    starts = pc.strptime(months, format="%Y%m%d", unit="s").cast(pa.int64())
    return _floats(pc.coalesce(given, starts.cast(pa.float64())))


def _refuse_repeated(windows: pa.Table, path: Path) -> None:
    """Check that each window has an id of its own.

    Raises:
        WindowInvalid: names the first id that comes twice.
    """
    encoded = windows["sample_id"].combine_chunks().dictionary_encode()
    if len(encoded.dictionary) == windows.num_rows:
        return
    place = encoded.indices.to_numpy()
    is_first = np.zeros(windows.num_rows, dtype=bool)
    is_first[np.unique(place, return_index=True)[1]] = True
    row = int((~is_first).argmax())
    what = f"the sample_id {windows['sample_id'][row].as_py()!r} comes twice"
    raise WindowInvalid(what, f"{path}, row {row}", "Give each window an id of its own.")
