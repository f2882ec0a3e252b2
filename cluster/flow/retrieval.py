"""Retrieval on files: the product's search over cases that no cluster holds (S400).

A platform is opened in a scratch folder and takes the cases in; queries then go the way that a
service's do.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cluster.case.case import read_case
from cluster.clock import SystemClock
from cluster.contracts.ingest import Finding, IngestReport, Source
from cluster.errors import CaseInvalid, InputError, SourceUnreadable
from cluster.flow.cases import ingest
from cluster.flow.platform import Platform, open_platform
from cluster.flow.search import SCORE_DIGITS, patient_of
from cluster.ingest.intake import Record
from cluster.retrieval.diagnosis import rank
from cluster.retrieval.search import CANDIDATES
from cluster.settings import Settings
from cluster.storage.lance import LanceIndex
from cluster.storage.ontology import load_ontology
from cluster.storage.sources import read_records, source_files

NAME = "files"
NAMED_MAX = 5
RECORD_TOO_LARGE = "record_too_large"
"""Finding of a line that is passed over while the file is read on."""


@contextmanager
def files_platform(
    paths: Sequence[Path], settings: Settings
) -> Iterator[tuple[Platform, IngestReport]]:
    """Open a platform that holds the cases of files, for the time of a job.

    Raises:
        SourceUnreadable: a path has no phenopackets.
    """
    files = tuple(str(file) for path in paths for file in source_files(path))
    with TemporaryDirectory(prefix="dazzle-") as scratch:
        placed = settings.model_copy(update={"data_dir": Path(scratch)})
        ontology = load_ontology(placed.data_dir, placed.hpo_path)
        index = LanceIndex(str(placed.data_dir / "index"))
        platform = open_platform(NAME, index, ontology, placed, SystemClock())
        try:
            yield platform, ingest(platform, Source(files=files))
        finally:
            platform.ledger.close()


def read_queries(path: Path) -> Iterator[Record | Finding]:
    """Read the lines of a file of queries, with a finding for a line that is no record.

    Raises:
        SourceUnreadable: the file cannot be read to its end.
    """
    for record in read_records(Source(files=(str(path),))):
        if isinstance(record, Finding) and record.code != RECORD_TOO_LARGE:
            what = f"{record.code}: {record.message}"
            raise SourceUnreadable(what, f"{record.file}:{record.line}")
        yield record


def retrieve(
    platform: Platform, record: Record | Finding, k: int, left_out: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Answer one query: a phenopacket of which only the terms are used.

    Args:
        platform: whose cases are searched.
        record: the phenopacket; its id names the query. A finding has no answer.
        k: how many cases and diseases are returned at the most.
        left_out: by query, ids of publications whose cases do not count.

    Returns:
        query_id, ranked_cases, ranked_diseases, none_of_these, ms; and ``problem`` where the query
        could not be asked.
    """
    began = time.perf_counter()
    answer: dict[str, Any] = {
        "query_id": "",
        "ranked_cases": [],
        "ranked_diseases": [],
        "none_of_these": None,
    }
    if isinstance(record, Finding):
        problem = f"{record.file}:{record.line}: {record.code}: {record.message}"
        return answer | {"problem": problem, "ms": _ms(began)}
    answer["query_id"] = _id_of(record.content)
    try:
        case = read_case(record.content)
        patient = patient_of(platform, case.observed, case.excluded)
    except (CaseInvalid, InputError) as error:
        return answer | {"problem": f"{record.file}:{record.line}: {error}", "ms": _ms(began)}
    base = platform.searcher.base
    out = base.cases_of(left_out.get(case.case_id, ()))
    table, evidence = platform.searcher.look_up(patient, left_out=out)
    shown = evidence
    if k > CANDIDATES:
        table, shown = platform.searcher.look_up(patient, candidates=k, left_out=out)
    ranking = rank(patient, [evidence], platform.ranking, k, [shown])
    scores = [round(float(score), SCORE_DIGITS) for score in ranking.case_scores[0]]
    names = table["case_id"].to_pylist()
    best = sorted((-score, name) for score, name in zip(scores, names, strict=True))[:k]
    return answer | {
        "ranked_cases": [{"case_id": case_id, "score": -score} for score, case_id in best],
        "ranked_diseases": [
            {"disease_id": disease.disease_id, "score": float(f"{disease.probability:.6g}")}
            for disease in ranking.diseases
        ],
        "none_of_these": round(ranking.none_of_these, 6),
        "ms": _ms(began),
    }


def unmatched(
    platform: Platform,
    answers: Sequence[Mapping[str, Any]],
    left_out: Mapping[str, Sequence[str]],
) -> list[str]:
    """Say what was to be left out and is not there: it would look as if it had been."""
    queries = set(left_out) - {answer["query_id"] for answer in answers}
    known = set(platform.searcher.base.profiles.publication_ids)
    absent = {name for names in left_out.values() for name in names} - known
    found = {
        "queries to leave publications out for were not asked": queries,
        "publications to leave out are not in the index": absent,
    }
    return [
        f"{len(names)} {what}: {', '.join(sorted(names)[:NAMED_MAX])}"
        for what, names in found.items()
        if names
    ]


def _id_of(content: bytes) -> str:
    """Return the id of a phenopacket that may be unusable; an empty text where none is readable."""
    try:
        named = json.loads(content).get("id")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return named if isinstance(named, str) else ""


def _ms(began: float) -> float:
    return round(1000 * (time.perf_counter() - began), 3)
