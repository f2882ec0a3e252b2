"""Reads records out of what users give: a folder, .json, .jsonl, .jsonl.gz, or a .zip of them.

Nothing is unpacked to disk. A hostile or damaged member is named and passed over, the rest is read.
"""

import gzip
import hashlib
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

import pyarrow as pa
from pyarrow import parquet

from cluster.contracts.access import EVENTS
from cluster.contracts.ingest import Finding, Source
from cluster.errors import SourceUnreadable
from cluster.ingest.intake import Record

SUFFIXES: Final = (".json", ".jsonl", ".jsonl.gz", ".zip")
PLATFORMS_MAX: Final = 64
RECORD_BYTES_MAX: Final = 1 << 20
ZIP_ENTRIES_MAX: Final = 20_000
ZIP_RATIO_MAX: Final = 100
ZIP_BYTES_MAX: Final = 2 << 30

BinaryStream = IO[bytes] | gzip.GzipFile
DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
)


def source_files(path: Path) -> list[Path]:
    """List the readable files at a path, sorted.

    Raises:
        SourceUnreadable: the path does not exist, or nothing under it has a known suffix.
    """
    if not path.exists():
        what = f"there is no file or folder {path}"
        raise SourceUnreadable(what, remedy="Check the path.")
    candidates = sorted(path.rglob("*")) if path.is_dir() else [path]
    files = [p for p in candidates if p.is_file() and p.name.endswith(SUFFIXES)]
    if not files:
        what = f"no phenopackets at {path}"
        raise SourceUnreadable(what, remedy=f"Files must end in {', '.join(SUFFIXES)}.")
    return files


def platform_sources(path: Path, platforms: int) -> dict[str, Source]:
    """Divide what is at a path among platforms.

    Two or more collections (.jsonl, .jsonl.gz, .zip, or folders of .json) are a platform each;
    a single one, or more than a cluster has platforms, is divided into ``platforms`` parts,
    publications kept together.
    """
    collections: dict[Path, list[str]] = {}
    for file in source_files(path):
        collections.setdefault(file.parent if file.suffix == ".json" else file, []).append(
            str(file.resolve())
        )
    if 1 < len(collections) <= PLATFORMS_MAX:
        sources = [Source(files=tuple(files)) for files in collections.values()]
    else:
        files = [file for collection in collections.values() for file in collection]
        sources = [Source(files=tuple(files), part=n, parts=platforms) for n in range(platforms)]
    width = len(str(len(sources)))
    return {f"platform-{n:0{width}d}": source for n, source in enumerate(sources, start=1)}


def read_events(path: Path) -> pa.Table:
    """Read access events from a Parquet file.

    Raises:
        SourceUnreadable: it cannot be read, or has other columns.
    """
    try:
        return parquet.read_table(path).select(EVENTS.names).cast(EVENTS)
    except (OSError, KeyError, pa.ArrowException) as error:
        what = f"{path} cannot be read as Parquet of access events ({type(error).__name__})"
        remedy = f"Its columns must be {', '.join(f'{f.name} ({f.type})' for f in EVENTS)}."
        raise SourceUnreadable(what, remedy=remedy) from None


def fingerprint(source: Source) -> str:
    """Return a digest of the files' contents; a file that cannot be read counts as empty."""
    digest = hashlib.sha256()
    for name in source.files:
        try:
            with Path(name).open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError:
            digest.update(b"unreadable")
    return digest.hexdigest()


def read_records(source: Source) -> Iterator[Record | Finding]:
    """Read the records of a source's files, with a finding for each place that has none."""
    for name in source.files:
        path = Path(name)
        try:
            if path.name.endswith(".zip"):
                yield from _zip_records(path)
            else:
                yield from _file_records(path)
        except DAMAGE as error:
            yield _unreadable(path.name, 0, "file_unreadable", type(error).__name__)


def _file_records(path: Path) -> Iterator[Record | Finding]:
    if path.name.endswith(".gz"):
        with gzip.open(path, "rb") as stream:
            yield from _stream_records(path.name, stream)
    else:
        with path.open("rb") as stream:
            yield from _stream_records(path.name, stream)


def _stream_records(name: str, stream: BinaryStream) -> Iterator[Record | Finding]:
    """Read one record a line; a ``.json`` file is one record as a whole."""
    if name.endswith(".json"):
        content = stream.read(RECORD_BYTES_MAX + 1)
        yield _record(name, 1, content)
        return
    number = found = 0
    try:
        while line := stream.readline(RECORD_BYTES_MAX + 1):
            number += 1
            if line.strip():
                found += 1
                yield _record(name, number, line)
            while len(line) > RECORD_BYTES_MAX and not line.endswith(b"\n"):
                line = stream.readline(RECORD_BYTES_MAX + 1)
    except DAMAGE as error:
        message = f"{type(error).__name__}; the lines before it were read"
        yield _unreadable(name, number + 1, "file_damaged", message)
        return
    if not found:
        yield _unreadable(name, 0, "file_empty", "no record in it")


def _record(name: str, line: int, content: bytes) -> Record | Finding:
    if len(content.rstrip(b"\r\n")) > RECORD_BYTES_MAX:
        return _unreadable(name, line, "record_too_large", f"over {RECORD_BYTES_MAX} bytes")
    return Record(name, line, content)


def _zip_records(path: Path) -> Iterator[Record | Finding]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > ZIP_ENTRIES_MAX:
            yield _unreadable(path.name, 0, "zip_refused", f"over {ZIP_ENTRIES_MAX} entries")
            return
        left = ZIP_BYTES_MAX
        seen: set[str] = set()
        for entry in entries:
            name = f"{path.name}!{entry.filename!a}"[:300]
            refusal = _refusal(entry, seen, left)
            seen.add(entry.filename)
            if entry.is_dir():
                continue
            if refusal:
                yield _unreadable(name, 0, "zip_member_refused", refusal)
                continue
            left -= entry.file_size
            yield from _member_records(archive, entry, path.name)


def _refusal(entry: zipfile.ZipInfo, seen: set[str], bytes_left: int) -> str:
    """Say why a member is not read; an empty text where nothing speaks against it."""
    name = PurePosixPath(entry.filename.replace("\\", "/"))
    checks = {
        "its name leaves the archive": name.is_absolute() or ".." in name.parts or ":" in str(name),
        "its name has control characters": not entry.filename.isprintable(),
        "two members have this name": entry.filename in seen,
        "it is a link": (entry.external_attr >> 16) & 0o170000 == 0o120000,
        "it is encrypted": bool(entry.flag_bits & 1),
        "it is an archive itself": name.suffix in {".zip", ".gz", ".tar", ".7z"},
        "it is neither .json nor .jsonl": name.suffix not in {".json", ".jsonl"},
        "it expands too far": entry.file_size > ZIP_RATIO_MAX * max(entry.compress_size, 1),
        "the archive is too large": entry.file_size > bytes_left,
    }
    return next((reason for reason, found in checks.items() if found), "")


def _member_records(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: str
) -> Iterator[Record | Finding]:
    name = f"{file}!{entry.filename}"
    try:
        with archive.open(entry) as stream:
            yield from _stream_records(name, stream)
    except DAMAGE as error:
        yield _unreadable(name, 0, "zip_member_damaged", type(error).__name__)


def _unreadable(file: str, line: int, code: str, message: str) -> Finding:
    return Finding(level="refused", code=code, file=file, line=line, message=message)
