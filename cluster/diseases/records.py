"""Lines of a file of diseases become records, or findings that name the line (C8).

A line is one JSON object with ``id``, ``name`` and, as far as known, ``synonyms, kind, level,
status, definitions[]{text, source}, xrefs{OMIM[]{id, relation}, MONDO, UMLS, …}, onset,
inheritance, parents, treatments[]{action, relation, for, evidence, source}, texts[]{kind, text,
source, url}``. Without id and name a line is refused; a code that is none is left out and named.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from cluster.contracts.disease import Disease, DiseaseCode, Relation
from cluster.contracts.ingest import Finding, Level
from cluster.diseases.codes import code_of, local_code

NAME_CHARS_MAX: Final = 500
RELATIONS: Final[dict[str, Relation]] = {
    "e": "exact",
    "exact": "exact",
    "mondo exact": "exact",
    "btnt": "broader",
    "ntbt": "narrower",
    "nd": "undecided",
}
"""Orphanet's words: of BTNT the record is the broader term, of NTBT the narrower one."""


def read_record(content: bytes, file: str, line: int) -> tuple[Disease | None, list[Finding]]:
    """Read one line; returns the record, or None with the reason among the findings."""
    try:
        given = json.loads(content)
    except (ValueError, RecursionError):
        return None, [_finding("refused", "not_json", file, line, "not JSON")]
    if not isinstance(given, dict):
        return None, [_finding("refused", "not_json", file, line, "not a JSON object")]
    disease_id = code_of(given["id"]) if isinstance(given.get("id"), str) else ""
    if not disease_id:
        message = "its id is no code of a known vocabulary"
        return None, [_finding("refused", "id_invalid", file, line, message)]
    findings = [
        _finding("warning", code, file, line, f"{disease_id}: {words}")
        for code, words in _taken_in(given)
    ]
    try:
        record = Disease.model_validate(given | {"id": disease_id})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        message = f"{disease_id}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        return None, [_finding("refused", "record_invalid", file, line, message)]
    if not record.name.strip() or len(record.name) > NAME_CHARS_MAX:
        message = f"{disease_id}: no name of 1 to {NAME_CHARS_MAX} characters"
        return None, [_finding("refused", "name_invalid", file, line, message)]
    return record, findings


def _taken_in(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Put codes and parents of a line into their one form; returns code and words of findings."""
    found = []
    codes: dict[str, DiseaseCode] = {}
    for vocabulary, value in _references(given.pop("xrefs", None)):
        text, relation = _stated(value)
        code = local_code(vocabulary, text)
        if code:
            codes.setdefault(code, DiseaseCode(code=code, relation=relation))
        else:
            found.append(("code_invalid", f"{text[:40]!a} is no code of {vocabulary[:20]!a}"))
    given["codes"] = tuple(codes.values())
    parents = given.get("parents")
    if isinstance(parents, list):
        known = {parent: code_of(parent) for parent in parents if isinstance(parent, str)}
        given["parents"] = tuple(dict.fromkeys(filter(None, known.values())))
        if not all(known.values()) or len(known) < len(parents):
            found.append(("parent_invalid", "a parent is no code and is left out"))
    return found


def _references(given: object) -> Iterator[tuple[str, object]]:
    for vocabulary, values in given.items() if isinstance(given, Mapping) else ():
        for value in values if isinstance(values, list) else [values]:
            yield str(vocabulary), value


def _stated(value: object) -> tuple[str, Relation]:
    """Return a code and how the record stands to it."""
    if isinstance(value, Mapping):
        relation = RELATIONS.get(str(value.get("relation", "")).lower(), "unstated")
        return str(value.get("id", "")), relation
    return str(value), "unstated"


def _finding(level: Level, code: str, file: str, line: int, message: str) -> Finding:
    return Finding(level=level, code=code, file=file, line=line, message=message)
