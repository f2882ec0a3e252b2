"""Reads zips of strangers: strictly, a member at a time, and nothing is ever unpacked to disk.

``zipfile`` believes the directory: it holds one of any length in memory, does not compare it with
the headers of the members, and stops without a word where a member is longer than stated. Here the
directory is bounded before it is read, and each member must end where it says.
"""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from cluster.errors import ImageSetRefused
from cluster.images.archive import DEFLATED, DESCRIBED_LATER, Entry
from cluster.images.limits import Limits

END: Final = struct.Struct("<4s4H2LH")
END_64: Final = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64: Final = struct.Struct("<4sLQL")
CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
LOCAL: Final = struct.Struct("<4s5H3L2H")
FULL_16: Final = 0xFFFF
FULL_32: Final = 0xFFFFFFFF
UTF_8: Final = 1 << 11
EXTRA_64: Final = 1
ENTRY_BYTES_MAX: Final = 1024
"""Of an entry in the directory on average; an ordinary one has some 100."""
CHUNK: Final = 1 << 16
REMEDY: Final = "Pack the folder again with an ordinary zip program."


class MemberDamaged(Exception):
    """A member cannot be unpacked; the others can."""


def refusal(*, code: str, what: str, remedy: str = REMEDY) -> ImageSetRefused:
    """Return the error for a set of which nothing is taken; ``where`` holds the code."""
    return ImageSetRefused(what, code, remedy)


def read_directory(stream: BinaryIO, limits: Limits) -> tuple[list[Entry], int]:
    """Read all entries with the headers in front of the members, and where the directory starts.

    Raises:
        ImageSetRefused: the directory is absent, false or too long.
    """
    size = stream.seek(0, 2)
    count, length, start = _end_record(stream, size)
    if count > limits.entries:
        what = f"it has {count:,} entries, over {limits.entries:,}"
        raise refusal(code="entries_too_many", what=what, remedy="Divide the set.")
    if length > limits.entries * ENTRY_BYTES_MAX:
        raise refusal(code="zip_directory_false", what=f"its directory has {length:,} bytes")
    stream.seek(start)
    directory = stream.read(length)
    entries, position = list[Entry](), 0
    while position < length:
        if len(entries) == count:
            raise refusal(
                code="zip_directory_false", what="its directory has more entries than it says"
            )
        entry, position = _entry(directory, position, stream, start)
        entries.append(entry)
    if len(entries) != count:
        raise refusal(
            code="zip_directory_false", what="its directory has fewer entries than it says"
        )
    return entries, start


def _end_record(stream: BinaryIO, size: int) -> tuple[int, int, int]:
    """Return number of entries, length and offset of the directory, checked against the file."""
    tail_start = max(0, size - END.size - FULL_16)
    stream.seek(tail_start)
    tail = stream.read()
    places, place = [], tail.find(b"PK\x05\x06")
    while place >= 0:
        if place + END.size <= len(tail):
            (comment,) = struct.unpack_from("<H", tail, place + END.size - 2)
            if place + END.size + comment == len(tail):
                places.append(place)
        place = tail.find(b"PK\x05\x06", place + 1)
    if len(places) != 1:
        what = "it has several ends" if places else "it is no zip, or its end is missing"
        raise refusal(code="zip_unreadable", what=what)
    end = tail_start + places[0]
    _, disk, disk_start, here, count, length, start, _ = END.unpack_from(tail, places[0])
    stated: tuple[int, ...] = (disk, disk_start, here, count, length, start)
    locator = _read(stream, end - LOCATOR_64.size, LOCATOR_64, b"PK\x06\x07")
    if locator is not None:
        stated, end = _end_64(stream, locator[1], stated, end - LOCATOR_64.size)
    disk, disk_start, here, count, length, start = stated
    if disk or disk_start or here != count or start + length != end:
        raise refusal(
            code="zip_directory_false", what="its directory is not where it says, or not whole"
        )
    return count, length, start


def _end_64(
    stream: BinaryIO, start: int, stated: tuple[int, ...], end: int
) -> tuple[tuple[int, ...], int]:
    """Read the record of large archives; it may only fill in what the small one leaves open."""
    found = _read(stream, start, END_64, b"PK\x06\x06")
    if found is None or start + 12 + found[0] != end:
        raise refusal(code="zip64_false", what="its large end record is not where it says")
    large = found[3:]
    full = (FULL_16, FULL_16, FULL_16, FULL_16, FULL_32, FULL_32)
    for small, other, most in zip(stated, large, full, strict=True):
        if small not in {most, other}:
            raise refusal(code="zip64_false", what="its two end records say different things")
    return large, start


def _read(
    stream: BinaryIO, offset: int, form: struct.Struct, sign: bytes
) -> tuple[int, ...] | None:
    """Read a record without its signature; None where there is none."""
    if offset < 0:
        return None
    stream.seek(offset)
    content = stream.read(form.size)
    is_there = len(content) == form.size and content.startswith(sign)
    return form.unpack(content)[1:] if is_there else None


def _entry(directory: bytes, position: int, stream: BinaryIO, limit: int) -> tuple[Entry, int]:
    if position + CENTRAL.size > len(directory):
        raise refusal(
            code="zip_directory_false", what="its directory ends in the middle of an entry"
        )
    fields = CENTRAL.unpack_from(directory, position)
    sign, _, _, flags, method, _, _, crc, packed, size, n_name, n_extra, n_comment = fields[:13]
    disk, _, attributes, start = fields[13:]
    behind = position + CENTRAL.size
    after = behind + n_name + n_extra + n_comment
    if sign != b"PK\x01\x02" or after > len(directory):
        raise refusal(code="zip_directory_false", what="its directory is damaged")
    raw = directory[behind : behind + n_name]
    extra = directory[behind + n_name : behind + n_name + n_extra]
    size, packed, start, disk = _sizes_64(extra, (size, packed, start, disk))
    if disk:
        raise refusal(code="zip_directory_false", what="it is a part of several files")
    stated = (flags, method, crc, packed, size)
    content, differs = _local(stream, start, raw, stated, limit)
    name = _text(raw, flags)
    entry = Entry(name, size, packed, crc, method, flags, attributes, start, content, differs)
    return entry, after


def _sizes_64(extra: bytes, stated: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Fill in size, packed size, offset and disk from the extra field, which must be exact."""
    fulls = (FULL_32, FULL_32, FULL_32, FULL_16)
    forms = ("<Q", "<Q", "<Q", "<L")
    field = _extra(extra, EXTRA_64)
    values, position = list(stated), 0
    for n, (value, full, form) in enumerate(zip(stated, fulls, forms, strict=True)):
        if value == full:
            if position + struct.calcsize(form) > len(field):
                raise refusal(code="zip64_false", what="the large size of a member is missing")
            (values[n],) = struct.unpack_from(form, field, position)
            position += struct.calcsize(form)
    if position != len(field):
        raise refusal(code="zip64_false", what="a member states two sizes")
    size, packed, start, disk = values
    return size, packed, start, disk


def _extra(extra: bytes, wanted: int) -> bytes:
    """Return the one extra field of a kind; empty where there is none."""
    found, position = [], 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == wanted:
            found.append(extra[position + 4 : position + 4 + length])
        position += 4 + length
    if len(found) > 1:
        raise refusal(code="zip64_false", what="a member states its sizes twice")
    return found[0] if found else b""


def _local(
    stream: BinaryIO, start: int, raw: bytes, stated: tuple[int, ...], limit: int
) -> tuple[int, str]:
    """Return where the content begins, and in what the header in front of it differs."""
    found = _read(stream, start, LOCAL, b"PK\x03\x04") if start < limit else None
    if found is None:
        raise refusal(code="zip_directory_false", what="a member is not where the directory says")
    _, flags, method, _, _, crc, packed, size, n_name, n_extra = found
    behind = stream.read(n_name + n_extra)
    if FULL_32 in (size, packed):
        large = _extra(behind[n_name:], EXTRA_64)
        if len(large) >= 16:
            size, packed = struct.unpack_from("<2Q", large)
    named = {"flags": (flags, stated[0]), "method": (method, stated[1])}
    sizes = {"checksum": (crc, stated[2]), "packed size": (packed, stated[3])}
    sizes["size"] = (size, stated[4])
    pairs = named | {
        name: pair
        for name, pair in sizes.items()
        if not (stated[0] & DESCRIBED_LATER and pair[0] == 0)
    }
    differs = [name for name, (here, there) in pairs.items() if here != there]
    if behind[:n_name] != raw:
        differs.insert(0, "name")
    return start + LOCAL.size + n_name + n_extra, ", ".join(differs)


def _text(raw: bytes, flags: int) -> str:
    """Read a name: UTF-8 where it is, also without the flag as macOS packs it; else cp437."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        if flags & UTF_8:
            return raw.decode(errors="surrogateescape")  # refused later: it cannot be shown
        return raw.decode("cp437")


def unpack(stream: BinaryIO, entry: Entry) -> bytes:
    """Return the content of a member that has exactly the stated size.

    Raises:
        ImageSetRefused: it is longer or shorter than stated.
        MemberDamaged: it cannot be unpacked, or its checksum is another.
    """
    stream.seek(entry.content)
    is_packed = entry.method == DEFLATED
    content = _inflated(stream, entry) if is_packed else stream.read(entry.packed)
    if len(content) != entry.size:
        raise refusal(code="zip_size_false", what="a member has another size than stated")
    if zlib.crc32(content) != entry.crc:
        raise MemberDamaged
    return content


def _inflated(stream: BinaryIO, entry: Entry) -> bytes:
    inflater, content, left = zlib.decompressobj(-15), bytearray(), entry.packed
    try:
        while left and not inflater.eof:
            chunk = stream.read(min(CHUNK, left))
            left -= len(chunk)
            content += inflater.decompress(chunk, entry.size + 1 - len(content))
            if len(content) > entry.size or not chunk:
                break
    except zlib.error:
        raise MemberDamaged from None
    if not inflater.eof or left or inflater.unused_data:
        what = "a member has more or less content than stated"
        raise refusal(code="zip_size_false", what=what)
    return bytes(content)


def open_zip(path: Path, limits: Limits) -> BinaryIO:
    """Open a zip that is not too large.

    Raises:
        ImageSetRefused: it is too large.
    """
    if path.stat().st_size > limits.zip_bytes:
        what = f"the zip has over {limits.zip_bytes:,} bytes"
        raise refusal(code="set_too_large", what=what, remedy="Divide the set.")
    return path.open("rb")
