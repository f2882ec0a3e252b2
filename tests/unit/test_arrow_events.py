"""Arrow streams of strangers do no harm (A5, B9)."""

import io
import struct
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.contracts.access import EVENTS
from cluster.errors import EventInvalid
from serve_apps.share.arrow_events import read_stream


def a_table(n: int = 3) -> pa.Table:
    columns: dict[str, Any] = {
        name: pa.array([f"{name}-{row}" for row in range(n)]) for name in EVENTS.names
    }
    return pa.table(columns | {"at": pa.array([float(row) for row in range(n)])})


def written(table: pa.Table, compression: str | None = None) -> bytes:
    stream = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(stream, table.schema, options=options) as writer:
        writer.write_table(table)
    return stream.getvalue()


def test_a_plain_stream_is_read() -> None:
    assert read_stream(written(a_table())).equals(a_table())
    without = a_table().drop_columns(["parent_id", "platform"])
    assert read_stream(written(without)).num_rows == 3


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_packed_stream_is_refused_before_it_is_unpacked(compression: str) -> None:
    with pytest.raises(EventInvalid):
        read_stream(written(a_table(), compression))


def test_an_offset_beyond_the_buffer_is_refused() -> None:
    """Reading it would be reading other memory, or the end of the process."""
    content = bytearray(written(a_table()))
    offsets = struct.pack("<4i", 0, 10, 20, 30)  # of event_id: "event_id-0" and so on
    place = content.index(offsets)
    content[place + 12 : place + 16] = struct.pack("<i", 2_000_000_000)
    with pytest.raises(EventInvalid):
        read_stream(bytes(content))


@pytest.mark.parametrize(
    "changed",
    [
        a_table().set_column(1, "case_id", pa.array(["a"] * 3).dictionary_encode()),
        a_table().set_column(1, "case_id", pa.array([{"a": 1}] * 3)),
        a_table().append_column("case_id", pa.array(["a"] * 3)),
        a_table().append_column("name", pa.array(["a"] * 3)),
        a_table().drop_columns(["user"]),
        a_table().set_column(3, "at", pa.array([1, 2, 3])),
    ],
)
def test_other_columns_are_refused(changed: pa.Table) -> None:
    with pytest.raises(EventInvalid):
        read_stream(written(changed))


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_a_damaged_stream_is_read_or_refused(place: int, bytes_in: bytes) -> None:
    """Nothing else comes out than a table that holds together, or an error."""
    content = bytearray(written(a_table()))
    place %= len(content)
    content[place : place + len(bytes_in)] = bytes_in
    with suppress(EventInvalid):
        read_stream(bytes(content)).validate(full=True)
