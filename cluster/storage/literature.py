"""Publications out of a file, and the published names of diseases that sources are asked with.

The file is a table with tabs (.tsv) or one JSON object a line (.jsonl), either also as .gz. What
cannot be read is a finding with its line; the rest is used. A second title of one PMID is a finding
too: the first one stands. Of several columns for the PMID or the title the first one counts, with a
finding that names the other; columns of diseases, and of genes, are read together.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from cluster.case.codes import code_of
from cluster.contracts.ingest import Finding, Level, Source
from cluster.contracts.related import LiteratureAnswer, LiteratureQuery, Publication
from cluster.errors import SourceUnreadable
from cluster.ids import canonical_json
from cluster.ingest.intake import Record
from cluster.retrieval.literature import FILE, Corpus
from cluster.storage.files import write_durably
from cluster.storage.ontology import load_annotated_diseases
from cluster.storage.sources import read_records

Cells = Sequence[tuple[str, object]]
"""Names of columns, as they are written, with their values."""
SUFFIXES: Final = (".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz")
TITLE_MAX: Final = 500
FINDINGS_MAX: Final = 20
"""Findings that an answer carries; a last one counts the others."""
COLUMNS: Final[dict[str, frozenset[str]]] = {
    "pmid": frozenset({"pmid", "pmids", "pubmed", "pubmedid", "id"}),
    "title": frozenset({"title", "articletitle", "publicationtitle"}),
    "diseases": frozenset(
        {"diseaseids", "diseaseid", "diseases", "disease", "omim", "omimid", "omimids", "mim"}
    ),
    "genes": frozenset({"genes", "gene", "symbol", "symbols", "genesymbol", "genesymbols"}),
}
"""What a column may be called, without case, spaces and marks."""
MERGED: Final = frozenset({"diseases", "genes"})
"""Columns of which there may be several."""
PMID_FORMS: Final = re.compile(
    r"(?:(?:pmid|pubmed)\s*:?\s*"
    r"|https?://(?:pubmed\.ncbi\.nlm\.nih\.gov|(?:www\.)?ncbi\.nlm\.nih\.gov/pubmed)/)?"
    r"0*([1-9][0-9]{0,8})/?"
)
NAMES: Final = "disease_names.json"
NAMED: Final = "OMIM:"
"""Prefix of the diseases that have a published name."""


class FileSource:
    """A ``LiteratureSource`` that reads its file when it is first asked."""

    name = FILE

    def __init__(self, path: Path) -> None:
        """Remember where the file is; whether it is there shows when it is asked."""
        self._path = path
        self._read: tuple[Corpus, tuple[Finding, ...]] | None = None

    def find(self, queries: Sequence[LiteratureQuery], limit: int) -> LiteratureAnswer:
        """Return for each case its publications, best first; none answered if it is unreadable."""
        try:
            corpus, findings = self._read = self._read or _load(self._path)
        except SourceUnreadable as error:
            return LiteratureAnswer(reason=error.what)
        found = {query.case_id: corpus.ranked(query, limit, FILE) for query in queries}
        return LiteratureAnswer(found=found, findings=findings)


def read_publications(path: Path) -> tuple[list[Publication], list[Finding]]:
    """Read the publications of a file, with a finding for each place that has none.

    Raises:
        SourceUnreadable: there is no file, its kind is not known, or nothing in it can be used.
    """
    if not path.is_file():
        what = f"there is no file {path}"
        raise SourceUnreadable(what, remedy="Check literature_path.")
    if not path.name.endswith(SUFFIXES):
        what = f"{path.name} is not a file of publications"
        raise SourceUnreadable(what, remedy=f"Its name must end in {', '.join(SUFFIXES)}.")
    read: dict[str, Publication] = {}
    findings: list[Finding] = []
    kept: list[Publication] = []
    for line, row in _rows(path):
        if isinstance(row, Finding):
            findings.append(row)
            continue
        one = _publication(row, path.name, line)
        if isinstance(one, Finding):
            findings.append(one)
            continue
        first = read.setdefault(one.pmid, one)
        if first.title != one.title:
            message = f"{one.pmid} has another title here; the first one stands"
            findings.append(_finding("warning", "title_differs", path.name, line, message))
        kept.append(one)
    if not kept:
        codes = sorted({finding.code for finding in findings})
        what = f"no publication could be read ({', '.join(codes) or 'nothing found'})"
        raise SourceUnreadable(what, path.name, "Give columns for the PMID and the title.")
    return kept, findings


def load_disease_names(data_dir: Path) -> dict[str, str]:
    """Return the names of OMIM diseases by id, as the embedded annotations publish them.

    They are written beside the ontology once: reading the annotations takes seconds and 200 MB.
    """
    path = data_dir / NAMES
    if not path.exists():
        names = {one.disease_id: one.name for one in load_annotated_diseases()}
        write_durably(path, canonical_json(names).encode())
    read: dict[str, str] = json.loads(path.read_bytes())
    return read


def _load(path: Path) -> tuple[Corpus, tuple[Finding, ...]]:
    publications, findings = read_publications(path)
    shown = findings[:FINDINGS_MAX]
    if len(findings) > FINDINGS_MAX:
        message = f"{len(findings) - FINDINGS_MAX} more places"
        shown.append(_finding("note", "more_findings", path.name, 0, message))
    return Corpus(publications), tuple(shown)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, object] | Finding]]:
    """Read the rows of a file as mappings from our names of the columns."""
    is_table = path.name.removesuffix(".gz").endswith(".tsv")
    header: list[str] | None = None
    named: set[str] = set()
    for record in read_records(Source(files=(str(path),))):
        if isinstance(record, Finding):
            yield record.line, record
            continue
        row = _text_of(record)
        if isinstance(row, Finding):
            yield record.line, row
        elif not is_table:
            cells = _object(row)
            if cells is None:
                message = "not a JSON object"
                yield record.line, _finding("refused", "not_json", path.name, record.line, message)
                continue
            yield from _repeated([name for name, _ in cells], named, path.name, record.line)
            yield record.line, _row(cells)
        elif header is None:
            header = row.split("\t")
            yield from _repeated(header, named, path.name, record.line)
            if not {"pmid", "title"} <= set(map(_column, header)):
                message = f"columns must be named {', '.join(COLUMNS)}"
                yield record.line, _finding("refused", "header", path.name, record.line, message)
                return
        else:
            values = (cell.strip().strip('"') for cell in row.split("\t"))
            yield record.line, _row(list(zip(header, values, strict=False)))


def _text_of(record: Record) -> str | Finding:
    try:
        return record.content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        return _finding("refused", "not_utf8", record.file, record.line, "not text in UTF-8")


def _object(text: str) -> Cells | None:
    """Return names and values of a JSON object, also of a name that is there twice."""
    try:
        cells = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
    return cells if isinstance(cells, tuple) else None


def _row(cells: Cells) -> Mapping[str, object]:
    """Return a row under our names of the columns; those that may repeat as lists of cells."""
    row: dict[str, object] = {name: [] for name in MERGED}
    for name, value in sorted(cells, key=_is_vague):
        ours = _column(name)
        merged = row.get(ours)
        if ours in MERGED and isinstance(merged, list):
            merged.append(value)
        elif ours:
            row.setdefault(ours, value)
    return row


def _repeated(
    names: Sequence[str], named: set[str], file: str, line: int
) -> Iterator[tuple[int, Finding]]:
    """Name each column that is passed over for another one, once a file."""
    seen: set[str] = set()
    for name in sorted(names, key=lambda name: _is_vague((name, None))):
        ours = _column(name)
        if ours in seen - MERGED - {""} and name not in named:
            named.add(name)
            message = f"column {plain(name)[:40]!r} is passed over: another one gives the {ours}"
            yield line, _finding("warning", "column_repeated", file, line, message)
        seen.add(ours)


def _is_vague(cell: tuple[str, object]) -> bool:
    """Say whether a column may hold any id, so that one with a clearer name counts before it."""
    return _bare(cell[0]) == "id"


def _bare(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _column(name: str) -> str:
    """Return our name of a column; an empty text for an unknown one."""
    return next((ours for ours, theirs in COLUMNS.items() if _bare(name) in theirs), "")


def _publication(row: Mapping[str, object], file: str, line: int) -> Publication | Finding:
    pmid = PMID_FORMS.fullmatch(str(row.get("pmid", "")).strip().lower())
    if pmid is None:
        return _finding("refused", "pmid_invalid", file, line, "no PMID in it")
    title = plain(row["title"]) if isinstance(row.get("title"), str) else ""
    if not title:
        return _finding("refused", "title_missing", file, line, f"PMID:{pmid[1]} has no title")
    return Publication(
        pmid=f"PMID:{pmid[1]}",
        title=title,
        diseases=tuple(dict.fromkeys(filter(None, map(_disease_id, _several(row["diseases"]))))),
        genes=_several(row["genes"]),
    )


def plain(text: object) -> str:
    """Return a title on one line, without characters that could steer a terminal."""
    shown = "".join(char if char.isprintable() else " " for char in str(text))
    return " ".join(shown.split())[:TITLE_MAX]


def _several(cells: object) -> tuple[str, ...]:
    """Return the values of cells: each a list, or a text with ``;``, ``|`` or ``,`` between."""
    parts: list[object] = []
    for cell in cells if isinstance(cells, list) else ():
        if isinstance(cell, str | int):
            parts += re.split(r"[;|,]", str(cell))
        elif isinstance(cell, list):
            parts += cell
    values = (part.strip() for part in parts if isinstance(part, str))
    return tuple(dict.fromkeys(value for value in values if value))


def _disease_id(text: str) -> str:
    """Return a disease's code, an empty text where it is none; a bare number is one of OMIM."""
    spelt = re.sub(r"\s*:\s*", ":", text)
    return code_of(f"OMIM:{spelt}" if spelt.isdigit() else spelt)


def _finding(level: Level, code: str, file: str, line: int, message: str) -> Finding:
    return Finding(level=level, code=code, file=file, line=line, message=message)
