"""Reads published rates: Orphadata's epidemiology XML as it is, and two tables with OMIM ids.

A bad record is named and passed over; only a file from which nothing can be trusted is refused.
The XML knows diseases by their ORPHA codes alone, so it matches cases that are coded so. The tables
carry a mapping to OMIM, and match both.
"""

import csv
import hashlib
import re
import xml.etree.ElementTree as Tree
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from cluster.contracts.ingest import Finding
from cluster.contracts.result import RatesFile
from cluster.errors import SourceUnreadable
from cluster.screening.prevalence import (
    BROADER,
    COUNT,
    EXACT,
    NARROWER,
    NOT_RARE_MARK,
    NOT_VALIDATED,
    RATES,
    TYPES,
    UNCLEAR,
    VALIDATED,
    VALUE_SLACK,
    PublishedRates,
    band_mean,
    band_of,
    preferred,
)

FINDINGS_MAX: Final = 50
"""Findings that are kept in full; all are counted."""
MAPPED: Final = {"e": EXACT, "exact": EXACT, "btnt": BROADER, "ntbt": NARROWER}
"""Orphanet's mapping codes; any other is unclear."""
STATES: Final = {"validated": VALIDATED, "not yet validated": NOT_VALIDATED}
RARITY_COLUMNS: Final = (
    "omim_id", "orpha_code", "orpha_name", "mapping", "class", "type", "geographic",
)  # fmt: skip
PREVALENCE_COLUMNS: Final = (
    "orpha_code", "name", "omim_exact", "omim_other", "type", "class", "geographic",
    "validation_status",
)  # fmt: skip
_CODE: Final = re.compile(r"(?:ORPHA:)?(\d{1,7})")
_OMIM: Final = re.compile(r"(?:OMIM:)?(\d{6})")


@dataclass(frozen=True)
class _Record:
    """One published rate as the file has it, and the classes that it is about."""

    line: int
    """Line of a table; 0 in an XML."""
    place: str
    """Ids by which the record is found again."""
    code: str
    name: str
    type: str
    band: str
    region: str
    status: str
    classes: tuple[tuple[str, str], ...]
    """Class id, and how the published entity stands to it."""
    value: str = ""
    """Published mean per 100,000, or of cases and families their number; 0 for none."""


@dataclass
class _Reading:
    """What was read of a file so far."""

    file: str
    records: int = 0
    without_rate: int = 0
    rows: dict[tuple[object, ...], dict[str, Any]] = field(default_factory=dict)
    """By their content: a table may say the same of an entity for each disease that it covers."""
    findings: list[Finding] = field(default_factory=list)
    by_code: dict[str, int] = field(default_factory=dict)

    def note(self, record: _Record, code: str, message: str) -> None:
        """Name one problem with its place."""
        self.by_code[code] = self.by_code.get(code, 0) + 1
        if len(self.findings) < FINDINGS_MAX:
            said = f"{record.place}: {message}"
            self.findings.append(
                Finding(level="warning", code=code, file=self.file, line=record.line, message=said)
            )

    def add(self, record: _Record) -> None:
        """Take in a record, or say what is wrong with it."""
        self.records += 1
        code, kind = _CODE.fullmatch(record.code.strip()), TYPES.get(record.type.strip().lower())
        if not code:
            return self.note(record, "code_unreadable", "no ORPHA code")
        if kind is None:
            return self.note(record, "rate_type_unknown", "no known type of rate")
        rate = None if kind == COUNT else self._rate(record)
        is_flagged = record.name.upper().startswith(NOT_RARE_MARK)
        self.without_rate += rate is None
        if rate is None and not is_flagged:
            return None
        low, mean = rate or (None, None)
        row = {
            "record": f"ORPHA:{code[1]}",
            "type": kind,
            "band": " ".join(record.band.split()),
            "low": low,
            "mean": mean,
            "region": record.region,
            "status": STATES.get(record.status.strip().lower(), ""),
            "flagged_common": is_flagged,
        }
        classes = ((row["record"], EXACT), *record.classes)
        for name, mapping in classes:
            made = row | {"class_id": name, "mapping": mapping}
            self.rows[tuple(made.values())] = made
        return None

    def _rate(self, record: _Record) -> tuple[float, float] | None:
        """Return lower end and mean per 100,000; None where no rate is given."""
        try:
            band = band_of(record.band)
            value = float(record.value or 0)
        except ValueError:
            self.note(record, "rate_unreadable", "neither band nor value can be read")
            return None
        if band is None:
            return None
        low, high = band
        if not value:
            return low, band_mean(low, high)
        if not low / VALUE_SLACK <= value <= high * VALUE_SLACK:
            self.note(record, "value_outside_band", "the band is used, not the value")
            return low, band_mean(low, high)
        return low, value


def load_rates(path: Path) -> tuple[PublishedRates, RatesFile]:
    """Read published rates, and say what was read.

    Args:
        path: ``omim_rarity.csv``, ``prevalence.csv``, or Orphadata's ``en_product9_prev.xml``;
            told apart by what is in them.

    Raises:
        SourceUnreadable: there is no such file, it is none of these, or it is damaged.
    """
    reading = _Reading(path.name)
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        records = _xml_records(path) if path.suffix.lower() == ".xml" else _table_records(path)
        for record in records:
            reading.add(record)
    except (OSError, UnicodeError, csv.Error, Tree.ParseError, DefusedXmlException) as error:
        what = f"published rates cannot be read: {type(error).__name__}"
        raise SourceUnreadable(what, str(path), "Get the file anew, or check the path.") from None
    if not reading.rows:
        what = "there is no published rate in the file"
        raise SourceUnreadable(what, str(path), _FORMS)
    rates = preferred(pa.Table.from_pylist(list(reading.rows.values()), schema=RATES))
    return rates, RatesFile(
        file=path.name,
        sha256=digest,
        records=reading.records,
        without_rate=reading.without_rate,
        priors=rates.priors.num_rows,
        findings=tuple(reading.findings),
        by_code=dict(sorted(reading.by_code.items())),
    )


_FORMS: Final = "Give omim_rarity.csv, prevalence.csv or en_product9_prev.xml."


def _table_records(path: Path) -> Iterator[_Record]:
    """Read a table; a comma inside quotes is part of a name."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream, restval="")
        columns = set(rows.fieldnames or ())
        if columns.issuperset(RARITY_COLUMNS):
            make = _rarity_record
        elif columns.issuperset(PREVALENCE_COLUMNS):
            make = _prevalence_record
        else:
            what = "the table has other columns than published rates"
            raise SourceUnreadable(what, str(path), _FORMS)
        for row in rows:
            yield make(row, rows.line_num)


def _rarity_record(row: dict[str, str], line: int) -> _Record:
    mapping = MAPPED.get(row["mapping"].strip().lower(), UNCLEAR)
    return _Record(
        line=line,
        place=f"{row['omim_id']} {row['orpha_code']}",
        code=row["orpha_code"],
        name=row["orpha_name"],
        type=row["type"],
        band=row["class"],
        region=row["geographic"],
        status="",
        classes=_omim(row["omim_id"], mapping),
    )


def _prevalence_record(row: dict[str, str], line: int) -> _Record:
    return _Record(
        line=line,
        place=f"ORPHA:{row['orpha_code']}",
        code=row["orpha_code"],
        name=row["name"],
        type=row["type"],
        band=row["class"],
        region=row["geographic"],
        status=row["validation_status"],
        classes=_omim(row["omim_exact"], EXACT) + _omim(row["omim_other"], UNCLEAR),
    )


def _omim(ids: str, mapping: str) -> tuple[tuple[str, str], ...]:
    found = map(_OMIM.fullmatch, (part.strip() for part in ids.split(";")))
    return tuple((f"OMIM:{one[1]}", mapping) for one in found if one)


def _xml_records(path: Path) -> Iterator[_Record]:
    """Read Orphadata's product 9: JDBOR, DisorderList, Disorder, PrevalenceList, Prevalence."""
    with path.open("rb") as stream:
        for disorder in _disorders(stream):
            code, name = _word(disorder, "OrphaCode"), _word(disorder, "Name")
            for one in disorder.iterfind("PrevalenceList/Prevalence"):
                yield _Record(
                    line=0,
                    place=f"ORPHA:{code} Prevalence {one.get('id', '')}",
                    code=code,
                    name=name,
                    type=_word(one, "PrevalenceType/Name"),
                    band=_word(one, "PrevalenceClass/Name"),
                    region=_word(one, "PrevalenceGeographic/Name"),
                    status=_word(one, "PrevalenceValidationStatus/Name"),
                    classes=(),
                    value=_word(one, "ValMoy"),
                )
            disorder.clear()


def _disorders(stream: IO[bytes]) -> Iterator[Tree.Element]:
    """Give one disorder after the other; the tree does not grow, for each is cleared."""
    root: Tree.Element | None = None
    for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
        if root is None:
            root = element
            if root.tag != "JDBOR":
                what = f"the XML begins with {root.tag[:40]!r}, not with JDBOR"
                raise SourceUnreadable(what, remedy=_FORMS)
        if event == "end" and element.tag == "Disorder":
            yield element


def _word(element: Tree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
