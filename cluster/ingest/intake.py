"""Decides which records become cases, and what is said about the others.

One bad record never stops the rest. Equal profiles of different people are different cases; an
equal id is not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cluster.case.case import Case, read_case
from cluster.contracts.ingest import Finding, Level, Source
from cluster.errors import CaseInvalid
from cluster.ids import sha256
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
    category: str


@dataclass
class Intake:
    """What came of the records."""

    read: int = 0
    refused: int = 0
    cases: list[TakenCase] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


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
    share = source or Source(files=())
    intake = Intake()
    seen: dict[str, tuple[str, str]] = {}
    for record in records:
        if isinstance(record, Finding):
            if share.part == 0:
                intake.findings.append(record)
            continue
        try:
            case = read_case(record.content)
        except CaseInvalid as error:
            if share.part == 0:
                intake.read += 1
                intake.refused += 1
                message = f"{error.what}; at {error.where}" if error.where else error.what
                intake.findings.append(_finding("refused", error.code, record, message=message))
            continue
        is_mine = share.parts == 1 or part_of(case, share.parts) == share.part
        is_repeated = case.case_id in seen
        place = f"{record.file}:{record.line}"
        first = seen.setdefault(case.case_id, (place, case.digest))
        if not is_mine:
            continue
        intake.read += 1
        if is_repeated:
            intake.refused += 1
            intake.findings.append(_repeated(record, case, *first))
            continue
        taken = _placed(case, ontology)
        intake.cases.append(taken)
        intake.findings.extend(_remarks(record, taken))
    return intake


def part_of(case: Case, parts: int) -> int:
    """Choose the part a case belongs to: cases of one publication stay together."""
    return int(sha256(case.publication[0] or case.case_id)[:8], 16) % parts


def _placed(case: Case, ontology: Ontology) -> TakenCase:
    terms = ontology.resolve(case.observed)
    return TakenCase(case, terms, ontology.category(terms.rows))


def _repeated(record: Record, case: Case, first: str, digest: str) -> Finding:
    same = case.digest == digest
    code = "case_repeated" if same else "case_id_conflict"
    kind = "the same case" if same else "another case with the same id"
    message = f"{kind} stands at {first}; the first one counts"
    return _finding("refused", code, record, case.case_id, message)


def _remarks(record: Record, taken: TakenCase) -> Iterator[Finding]:
    case, terms = taken.case, taken.terms
    for given, now in terms.replaced:
        message = f"{given} is obsolete; found under {now}"
        yield _finding("note", "term_obsolete", record, case.case_id, message)
    for unknown in terms.unknown:
        message = f"{unknown} is not in the installed ontology; kept, not used for search"
        yield _finding("warning", "term_unknown", record, case.case_id, message)
    if not case.observed:
        message = "no observed term; the case cannot be found by phenotype"
        yield _finding("warning", "no_observed_term", record, case.case_id, message)
    if case.disease is None:
        message = "no disease; the case has no class and is not screened"
        yield _finding("warning", "no_disease", record, case.case_id, message)


def _finding(
    level: Level, code: str, record: Record, case_id: str = "", message: str = ""
) -> Finding:
    return Finding(
        level=level,
        code=code,
        file=record.file,
        line=record.line,
        case_id=case_id,
        message=message,
    )
