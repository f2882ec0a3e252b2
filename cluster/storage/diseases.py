"""The disease database on disk: a folder a version, complete or absent, and which one serves (C8).

A file is read whole, made into two Arrow tables and an index of words in a folder beside, synced,
and renamed; only then may it serve. What serves is said by a small file that any process can read;
the registry's ledger is its truth and its blob the source, so that all this may be deleted.
"""

import gzip
import io
import os
import shutil
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import ipc
from pydantic import ValidationError

from cluster.contracts.disease import DiseaseCard
from cluster.contracts.ingest import Finding, Level
from cluster.diseases.lookup import KEYS, RECORDS, DiseaseTable, Tables
from cluster.diseases.records import read_record
from cluster.errors import IntegrityError, SourceUnreadable, StoreUnavailable
from cluster.ids import sha256
from cluster.storage.disease_words import DiseaseWords, words_table, write_words
from cluster.storage.files import write_durably

FOLDER: Final = "diseases"
SERVING: Final = "serving.json"
DEMO: Final = "demo"
DEMO_FILE: Final = "demo.jsonl"
FORM: Final = 1
"""Raised when tables are made in another way, so that those of before are made anew."""
DIGEST_CHARS: Final = 16
SUFFIXES: Final = (".jsonl", ".jsonl.gz")
PACKED_MAX: Final = 256 << 20
UNPACKED_MAX: Final = 512 << 20
RATIO_MAX: Final = 100
RATIO_FREE: Final = 16 << 20
"""Bytes that a packed file may unpack to whatever its ratio."""
LINE_MAX: Final = 1 << 20
FINDINGS_MAX: Final = 50
GZIP: Final = b"\x1f\x8b"
REMEDY: Final = "Give a .jsonl or .jsonl.gz with one disease record a line."
MISSING: Final = "Load the file again: python -m jobs.load_diseases."


def read_file(path: Path) -> bytes:
    """Read a file of disease records as it is.

    Raises:
        SourceUnreadable: it is not there, has another kind of name, or is too large.
    """
    if not path.name.endswith(SUFFIXES):
        what = f"{path.name} is not a file of disease records"
        raise SourceUnreadable(what, remedy=f"Its name must end in {' or '.join(SUFFIXES)}.")
    try:
        size = path.stat().st_size
        if size > PACKED_MAX:
            what = f"the file has {size:,} bytes; {PACKED_MAX:,} are read at the most"
            raise SourceUnreadable(what, path.name, REMEDY)
        return path.read_bytes()
    except OSError as error:
        what = f"{path} cannot be read ({type(error).__name__})"
        raise SourceUnreadable(what, remedy="Check the path.") from None


def read_diseases(
    content: bytes, card: DiseaseCard
) -> tuple[DiseaseTable, list[tuple[str, str]], DiseaseCard]:
    """Read the records of a file; returns them, their words, and the card with what was found.

    Args:
        content: the file as it is, packed with gzip or not.
        card: name, digest and origin of the file.

    Raises:
        SourceUnreadable: it is damaged, unpacks to too much, or most of it are no records.
    """
    tables, words = Tables(), []
    findings: list[Finding] = []
    lines_of: dict[str, int] = {}
    refused = 0
    for number, line in _lines(content, card.name):
        record, said = read_record(line, card.name, number)
        if record is not None and not tables.add(record):
            message = f"{record.id} is there already; the first one stands"
            said = [*said, _finding("refused", "id_repeated", card.name, number, message)]
            record = None
        findings += said
        if record is None:
            refused += 1
            continue
        lines_of[record.id] = number
        names = "; ".join((record.name, *record.synonyms))
        words.append((names, " ".join(one.text for one in record.definitions)))
    if refused >= len(words):
        codes = ", ".join(sorted({one.code for one in findings})) or "nothing found"
        what = f"{len(words)} disease records and {refused} other lines ({codes})"
        raise SourceUnreadable(what, card.name, REMEDY)
    for own, parent in tables.unknown_parents():
        message = f"{own}: its parent {parent} is not in the file"
        findings.append(_finding("note", "parent_unknown", card.name, lines_of[own], message))
    counts = Counter(one.code for one in findings)
    found = {
        "records": len(words),
        "refused": refused,
        "by_code": dict(sorted(counts.items())),
        "findings": tuple(findings[:FINDINGS_MAX]),
    }
    return tables.made(), words, card.model_copy(update=found)


def _lines(content: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    """Read numbered lines; a line that is too long or a file that unpacks too far is an error."""
    stream: io.BytesIO | gzip.GzipFile = io.BytesIO(content)
    bound = UNPACKED_MAX
    if content.startswith(GZIP):
        stream = gzip.GzipFile(fileobj=stream)
        bound = min(UNPACKED_MAX, max(RATIO_FREE, RATIO_MAX * len(content)))
    total = number = 0
    try:
        while line := stream.readline(LINE_MAX + 1):
            number += 1
            total += len(line)
            if total > bound:
                what = f"it unpacks to more than {bound:,} bytes"
                raise SourceUnreadable(what, name, REMEDY)
            if len(line) > LINE_MAX:
                what = f"line {number} has more than {LINE_MAX:,} bytes"
                raise SourceUnreadable(what, name, REMEDY)
            if line.strip():
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        what = f"it is damaged or cut off after line {number} ({type(error).__name__})"
        raise SourceUnreadable(what, name, "Get the file anew.") from None


def _finding(level: Level, code: str, file: str, line: int, message: str) -> Finding:
    return Finding(level=level, code=code, file=file, line=line, message=message)


class DiseaseShelf:
    """The versions of the disease database in a data folder; one process writes, any may read."""

    def __init__(self, data_dir: Path) -> None:
        """Remember where the versions are."""
        self._root = data_dir / FOLDER

    def build(self, content: bytes, card: DiseaseCard) -> DiseaseCard:
        """Make the tables of a file, complete or not at all; nothing serves them yet.

        Raises:
            SourceUnreadable: the file cannot be used; what served before still serves.
        """
        table, words, card = read_diseases(content, card)
        self._make(self._folder(card), table, words)
        return card

    def serve(self, card: DiseaseCard) -> None:
        """Let a built version serve; the one before it is kept for who reads it, older ones go."""
        before = None
        with suppress(StoreUnavailable):
            before = self.serving()
        write_durably(self._root / SERVING, card.model_dump_json(indent=1).encode())
        kept = {self._folder(one).name for one in (card, before) if one is not None}
        for folder in self._root.iterdir():
            if folder.is_dir() and DEMO not in folder.name and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def serving(self) -> DiseaseCard | None:
        """Return the card of the version that serves; None where none was loaded.

        Raises:
            StoreUnavailable: what says it cannot be read.
        """
        path = self._root / SERVING
        try:
            return DiseaseCard.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            what = f"{path.name} of the disease database cannot be read ({type(error).__name__})"
            raise StoreUnavailable(what, str(path.parent), MISSING) from None

    def has(self, card: DiseaseCard) -> bool:
        """Say whether the tables of a version are there."""
        return self._folder(card).is_dir()

    def open(self) -> tuple[DiseaseTable, DiseaseWords, DiseaseCard]:
        """Map the version that serves; the demo table where none was loaded.

        Raises:
            StoreUnavailable: its tables are missing.
            IntegrityError: its tables are damaged.
        """
        card = self.serving() or self._demo()
        folder = self._folder(card)
        if not folder.is_dir():
            what = f"the tables of {card.name} ({card.digest[:DIGEST_CHARS]}) are missing"
            raise StoreUnavailable(what, str(self._root), MISSING)
        table = DiseaseTable(_mapped(folder / "records.arrow"), _mapped(folder / "keys.arrow"))
        if table.records.schema != RECORDS or table.keys.schema != KEYS:
            raise _damaged(folder)
        return table, DiseaseWords(folder / "words"), card

    def _demo(self) -> DiseaseCard:
        """Return the card of the project's own small table, made where it is missing."""
        content = resources.files("cluster.diseases").joinpath(DEMO_FILE).read_bytes()
        card = DiseaseCard(name=DEMO_FILE, digest=sha256(content), records=0, demo=True)
        table, words, card = read_diseases(content, card)
        if not self.has(card):
            self._make(self._folder(card), table, words)
        return card

    def _folder(self, card: DiseaseCard) -> Path:
        kind = f"{DEMO}-" if card.demo else ""
        return self._root / f"{kind}{card.digest[:DIGEST_CHARS]}-{FORM}"

    def _make(self, folder: Path, table: DiseaseTable, words: list[tuple[str, str]]) -> None:
        """Write the tables beside, sync them, then rename; who comes second keeps the first's."""
        if folder.is_dir():
            return
        partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            _write(partial / "records.arrow", table.records)
            _write(partial / "keys.arrow", table.keys)
            write_words(partial / "words", words_table(words))
            for path in (*partial.rglob("*"), partial):
                _sync(path)
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _sync(folder.parent)


def _write(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as sink, ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())


def _mapped(path: Path) -> pa.Table:
    try:
        with pa.memory_map(str(path)) as source:
            return ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid):
        raise _damaged(path) from None


def _damaged(path: Path) -> IntegrityError:
    what = "the tables of the disease database are damaged"
    return IntegrityError(what, str(path), f"Delete the folder. {MISSING}")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
