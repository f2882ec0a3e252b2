"""Reads who is seen in which image out of a table that comes with a set; reads tolerantly.

The ids serve to keep the images of a person in one split. They are not kept and not shown.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cluster.contracts.images import ImageFinding
from cluster.errors import InputError
from cluster.images.names import folded, shown

FILE_HEADS: Final = ("path", "file", "filename", "file_name", "image", "image_path", "name")
PERSON_HEADS: Final = ("patient", "patient_id", "patientid", "person", "subject", "subject_id")
CLASS_HEADS: Final = ("class", "label", "diagnosis")
SEPARATORS: Final = ",;\t|"
UNKNOWN: Final = frozenset({"", "na", "n/a", "nan", "none", "null", "unknown", "-", "?"})


@dataclass
class Persons:
    """Who is seen in which image."""

    by_file: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Ids by name of the file; no entry where none is told."""
    findings: list[ImageFinding] = field(default_factory=list)


def read_persons(tables: dict[str, bytes], images: dict[str, str], wrapper: str = "") -> Persons:
    """Match the rows of tables to images.

    Args:
        tables: content by name.
        images: class by name of the file.
        wrapper: folders around the set; rows may name them or not.
    """
    found = Persons()
    places = _places(images, wrapper)
    people = defaultdict[str, set[str]](set)
    for name, content in tables.items():
        try:
            _read(name, _text(content), places, people, found)
        except csv.Error:
            message = "this table cannot be read, so it names no persons"
            found.findings.append(_finding("warning", "table_unreadable", name, message))
    several = [name for name, ids in people.items() if len(ids) > 1]
    for name in sorted(several):
        message = "several persons are named for it; all their images stay in one split"
        found.findings.append(_finding("warning", "person_conflict", name, message))
    found.by_file = {name: tuple(sorted(ids)) for name, ids in people.items()}
    missing = len(images) - len(found.by_file)
    if people and missing:
        message = f"{missing:,} images have no person; each counts as somebody else's"
        found.findings.append(_finding("warning", "person_missing", "", message))
    return found


def check_table(content: bytes) -> None:
    """Look at the heads of a table that somebody has named on purpose.

    Raises:
        InputError: it has no columns for the file and the person.
    """
    heads, _ = _heads(_text(content))
    if _column(heads, FILE_HEADS) is None or _column(heads, PERSON_HEADS) is None:
        what = f"the table has no columns for file and person, but {', '.join(heads)[:200]}"
        remedy = f"Name one of {', '.join(FILE_HEADS)} and one of {', '.join(PERSON_HEADS)}."
        raise InputError(what, "--persons", remedy)


def _heads(text: str) -> tuple[list[str], str]:
    """Return the names of the columns in their one form, and the separator."""
    head = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=head.count)
    rows = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
    return [cell.strip().lower().replace(" ", "_") for cell in next(rows, [])], separator


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _places(images: dict[str, str], wrapper: str) -> dict[str, list[str]]:
    """List the files that each way of naming one could mean."""
    places = defaultdict[str, list[str]](list)
    for name in images:
        inner = name.removeprefix(wrapper)
        for way in {name, inner, inner.rsplit("/", 1)[-1]}:
            places[folded(way)].append(name)
    return places


def _read(
    name: str,
    text: str,
    places: dict[str, list[str]],
    people: dict[str, set[str]],
    found: Persons,
) -> None:
    heads, separator = _heads(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    next(rows, None)
    files, persons, classes = (
        _column(heads, known) for known in (FILE_HEADS, PERSON_HEADS, CLASS_HEADS)
    )
    if files is None or persons is None:
        message = "this table has no columns for the file and the patient; it is not used"
        found.findings.append(_finding("note", "table_without_persons", name, message))
        return
    unmatched = ambiguous = 0
    unnamed: list[int] = []
    for number, row in enumerate(rows, start=2):
        if len(row) <= max(files, persons) or row[persons].strip().lower() in UNKNOWN:
            unnamed += [number] if any(row) else []
            continue
        label = row[classes].strip() if classes is not None and classes < len(row) else ""
        matches = _matches(row[files], label, places)
        unmatched += not matches
        ambiguous += len(matches) > 1
        for match in matches:
            people[match].add(row[persons].strip())
    if unnamed:
        message = f"{len(unnamed):,} rows name no person; the first is row {unnamed[0]:,}"
        found.findings.append(_finding("warning", "table_rows_without_person", name, message))
    for code, number, what in (
        ("table_rows_unmatched", unmatched, "name no image of this set"),
        ("table_rows_ambiguous", ambiguous, "name several images; the person counts for all"),
    ):
        if number:
            found.findings.append(_finding("note", code, name, f"{number:,} rows {what}"))


def _column(heads: list[str], known: Iterable[str]) -> int | None:
    return next((heads.index(one) for one in known if one in heads), None)


def _matches(cell: str, label: str, places: dict[str, list[str]]) -> list[str]:
    """Find the images that a row means: the longest way of naming that fits one."""
    name = folded(cell.strip().replace("\\", "/").removeprefix("./"))
    ways = [name] if "/" in name else []
    if label:
        ways.append(f"{folded(label)}/{name.rsplit('/', 1)[-1]}")
    if "/" not in name:
        ways.append(name)
    return next((places[way] for way in ways if way in places), [])


def _finding(level: str, code: str, place: str, message: str) -> ImageFinding:
    return ImageFinding(level=level, code=code, place=shown(place), message=message)
