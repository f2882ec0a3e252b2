"""Access windows survive every layout that a file of them may have."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from cluster.contracts.trend import PLACES, WINDOWS
from cluster.flow.windows import to_bytes
from cluster.storage.windows import read_windows

WIDE = {
    "sample_id": pa.large_string(),
    "item_id": pa.dictionary(pa.int8(), pa.string()),
    "platform": pa.large_string(),
    "n_obs": pa.int64(),
    "n_fut": pa.int8(),
    "first_seen": pa.int16(),
    "hot": pa.int8(),
    "surge": pa.float64(),
    "fut_total": pa.int64(),
    **{name: pa.large_list(pa.int64()) for name in ("clicks", "usages", *PLACES)},
}
small = st.integers(0, 9)


@st.composite
def windows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of windows, with anything missing that may be."""
    maybe = st.none() | small
    rows = []
    for number in range(draw(st.integers(1, 5))):
        n_obs = draw(st.integers(1, 4))
        counts = st.none() | st.lists(small, min_size=n_obs, max_size=n_obs)
        rows.append(
            {
                "sample_id": f"s{number}",
                "item_id": draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=3)),
                "platform": "north",
                "bin_days": 7.0,
                "n_obs": n_obs,
                "n_fut": draw(st.integers(1, 4)),
                "first_seen": draw(maybe),
                "fut_total": draw(maybe),
                "hot": draw(st.sampled_from([None, 0, 1])),
                "surge": draw(st.sampled_from([None, 0, 1])),
                **{name: draw(counts) for name in ("clicks", "usages", *PLACES)},
            }
        )
    return rows


@settings(max_examples=60)
@given(rows=windows(), rows_of_a_group=st.integers(1, 5), is_wide=st.booleans())
def test_every_layout_gives_the_same_windows(
    rows: list[dict[str, Any]], rows_of_a_group: int, is_wide: bool
) -> None:
    """A6: types, groups of rows and missing columns change neither a value nor a byte."""
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    names += [name for name in ("clicks", "usages") if name not in names]
    types = [WIDE.get(name) if is_wide else None for name in names]
    columns = {
        name: pa.array([row[name] for row in rows], kind or WINDOWS.field(name).type)
        if WINDOWS.field(name).type != pa.bool_() or kind
        else pa.array([None if row[name] is None else bool(row[name]) for row in rows])
        for name, kind in zip(names, types, strict=True)
    }
    expected = [
        {name: row.get(name) for name in WINDOWS.names}
        | {flag: None if row[flag] is None else bool(row[flag]) for flag in ("hot", "surge")}
        for row in rows
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "windows.parquet")
        parquet.write_table(pa.table(columns), path, row_group_size=rows_of_a_group)
        found = read_windows(path)
    assert found.to_pylist() == expected
    assert to_bytes(found) == to_bytes(pa.Table.from_pylist(expected, schema=WINDOWS))
