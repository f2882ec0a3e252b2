"""Decides which records become cases, and what is said about the others.

One bad record never stops the rest. Equal profiles of different people are different cases; an
equal id is not.
"""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cluster.case.case import Case, read_case
from cluster.contracts.ingest import Finding, Source
from cluster.errors import CaseInvalid
from cluster.ids import sha256
from cluster.ingest.facts import Facts
from cluster.ingest.remarks import Remark, case_remarks, term_remarks
from cluster.ontology import Ontology, Terms


@dataclass(frozen=True)
class Record:
    """The text of one phenopacket and where it stands."""

    file: str
    line: int
    content: bytes


@dataclass(frozen=True)
class TakenCase:
    """A case with its terms placed in the ontology and its category (S340)."""

    case: Case
    terms: Terms
    """Of the observed terms."""
    excluded: Terms
    category: str


@dataclass
class Intake:
    """What came of the records."""

    read: int = 0
    refused: int = 0
    cases: list[TakenCase] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)


@dataclass
class _Known:
    """What earlier records of the same ingest said."""

    cases: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Place and digest by case id."""
    titles: dict[str, dict[str, str]] = field(default_factory=dict)
    """Places by publication and title."""
    labels: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether a label differs from the ontology's, by term id and label."""


def take_in(
    records: Iterable[Record | Finding], ontology: Ontology, source: Source | None = None
) -> Intake:
    """Read records into cases.

    Args:
        records: records, and findings about places where no record could be had.
        ontology: places the terms.
        source: of records shared between platforms, take only the part that is named here;
            what cannot be read is reported by the first part.
    """
    intake, known, share = Intake(), _Known(), source or Source(files=())
    with _collector_paused():
        for record in records:
            if isinstance(record, Finding):
                if share.part == 0:
                    intake.findings.append(record)
                continue
            try:
                case = read_case(record.content)
            except CaseInvalid as error:
                if share.part == 0:
                    _refuse(intake, record, error)
                continue
            _take(intake, known, record, case, ontology, share)
    return intake


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Let cases pile up: they hold no cycles, and looking for some takes most of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _refuse(intake: Intake, record: Record, error: CaseInvalid) -> None:
    intake.read += 1
    intake.refused += 1
    message = f"{error.what}; at {error.where}" if error.where else error.what
    intake.findings.append(_finding(record, "", Remark("refused", error.code, message)))


def _take(
    intake: Intake, known: _Known, record: Record, case: Case, ontology: Ontology, share: Source
) -> None:
    """Take a case of the share in, unless its id was there before."""
    is_mine = share.parts == 1 or part_of(case, share.parts) == share.part
    is_repeated = case.case_id in known.cases
    place = f"{record.file}:{record.line}"
    first = known.cases.setdefault(case.case_id, (place, case.digest))
    if not is_mine:
        return
    intake.read += 1
    if is_repeated:
        intake.refused += 1
        intake.findings.append(_finding(record, case.case_id, _repeated(case, *first)))
        return
    taken = _placed(case, ontology)
    intake.cases.append(taken)
    intake.facts.add(case)
    remarks = [
        *term_remarks(taken.terms, taken.excluded, ontology),
        *case_remarks(case),
        *_label_remarks(case, known, intake.facts, ontology),
        *_title_remarks(case, known, place),
    ]
    intake.findings.extend(_finding(record, case.case_id, remark) for remark in remarks)


def part_of(case: Case, parts: int) -> int:
    """Choose the part a case belongs to: cases of one publication stay together."""
    return int(sha256(case.publication[0] or case.case_id)[:8], 16) % parts


def _placed(case: Case, ontology: Ontology) -> TakenCase:
    terms, excluded = ontology.resolve(case.observed), ontology.resolve(case.excluded)
    return TakenCase(case, terms, excluded, ontology.category(terms.rows))


def _repeated(case: Case, first: str, digest: str) -> Remark:
    same = case.digest == digest
    code = "case_repeated" if same else "case_id_conflict"
    kind = "the same case" if same else "another case with the same id"
    return Remark("refused", code, f"{kind} stands at {first}; the first one counts")


def _label_remarks(case: Case, known: _Known, facts: Facts, ontology: Ontology) -> Iterator[Remark]:
    """Count labels that differ from today's names; each pair of id and label is named once."""
    for feature in case.phenopacket.phenotypic_features:
        term = feature.type
        pair = term.id, term.label
        differs = known.labels.get(pair)
        if differs is None:
            name = ontology.current_name(term.id)
            differs = known.labels[pair] = bool(name and term.label and name != term.label)
            if differs:
                message = f"{term.id} has another label than {name!r}; the id counts"
                yield Remark("note", "label_differs", message)
        facts.counts["label.differs"] += differs


def _title_remarks(case: Case, known: _Known, place: str) -> Iterator[Remark]:
    """Name a publication that comes with another title than before; its id counts."""
    for reference in case.phenopacket.meta_data.external_references:
        if not (reference.id and reference.description):
            continue
        places = known.titles.setdefault(reference.id, {})
        if reference.description not in places:
            if places:
                message = f"{reference.id} has another title at {next(iter(places.values()))}"
                yield Remark("note", "publication_title", f"{message}; the id counts")
            places[reference.description] = place


def _finding(record: Record, case_id: str, remark: Remark) -> Finding:
    return Finding(
        level=remark.level,
        code=remark.code,
        file=record.file,
        line=record.line,
        case_id=case_id,
        message=remark.message,
    )
