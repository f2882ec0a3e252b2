"""Arrow IPC streams of strangers: read only where nothing in them can be believed to harm.

Arrow unpacks compressed buffers before anything can be counted, and does not look at offsets when
it reads. So the messages are looked at first, and the columns in full before they are used.
"""

import io
import struct
from typing import Final

import pyarrow as pa

from cluster.contracts.access import EVENTS
from cluster.errors import EventInvalid

SCHEMA_MESSAGE, BATCH_MESSAGE = 1, 3
"""Kinds of messages that a stream may have (format/Message.fbs of Apache Arrow)."""
HEADER_TYPE, HEADER, COMPRESSION = 1, 2, 3
"""Places of fields in the tables of a message and of a record batch."""
OPTIONAL: Final = frozenset({"platform", "parent_id"})


def read_stream(body: bytes) -> pa.Table:
    """Read a table of events.

    Raises:
        EventInvalid: it is no stream, is compressed or has dictionaries, has other columns than
            events have, or its buffers do not hold together.
    """
    remedy = f"Send an uncompressed stream of {', '.join(EVENTS.names)}, as strings and one double."
    try:
        _look_at(body)
        with pa.ipc.open_stream(io.BytesIO(body)) as stream:
            _check_columns(stream.schema)
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError):
        what = "the body is no Arrow IPC stream of events"
        raise EventInvalid(what, remedy=remedy) from None
    return table


def _look_at(body: bytes) -> None:
    """Refuse streams with messages that are not plain.

    Raises:
        ValueError: there is one.
    """
    stream = pa.BufferReader(body)
    while True:
        try:
            message = pa.ipc.read_message(stream)
        except EOFError:
            return
        head = message.metadata.to_pybytes()
        root = struct.unpack_from("<I", head, 0)[0]
        kind = head[_field(head, root, HEADER_TYPE)]
        if kind not in (SCHEMA_MESSAGE, BATCH_MESSAGE):
            text = "a message of another kind"
            raise ValueError(text)
        place = _field(head, root, HEADER)
        batch = place + struct.unpack_from("<I", head, place)[0]
        if kind == BATCH_MESSAGE and _field(head, batch, COMPRESSION):
            text = "a compressed batch"
            raise ValueError(text)


def _field(head: bytes, table: int, slot: int) -> int:
    """Return the place of a field of a FlatBuffers table; 0 where it is not there."""
    fields = table - struct.unpack_from("<i", head, table)[0]
    size = struct.unpack_from("<H", head, fields)[0]
    if 4 + 2 * slot >= size:
        return 0
    offset = struct.unpack_from("<H", head, fields + 4 + 2 * slot)[0]
    return table + offset if offset else 0


def _check_columns(schema: pa.Schema) -> None:
    names = schema.names
    wanted = set(EVENTS.names)
    is_whole = wanted - OPTIONAL <= set(names) <= wanted and len(names) == len(set(names))
    if not is_whole or any(schema.field(n).type != EVENTS.field(n).type for n in names):
        text = "other columns"
        raise ValueError(text)
