"""Lines of a file become records; what is wrong is named by line."""

import json
from typing import Any

import pytest

from cluster.diseases.records import read_record
from cluster.storage.diseases import read_diseases
from tests.unit.diseases.disease_lines import ACTION, PNEUMONIA, TREATED, a_card, packed


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[1]", "not_json"),
        (b"{}", "id_invalid"),
        (b'{"id": 5, "name": "x"}', "id_invalid"),
        (b'{"id": "FOO:5", "name": "x"}', "id_invalid"),
        (b'{"id": "ORPHA:5"}', "record_invalid"),
        (b'{"id": "ORPHA:5", "name": null}', "record_invalid"),
        (b'{"id": "ORPHA:5", "name": "  "}', "name_invalid"),
        (b'{"id": "ORPHA:5", "name": "x", "synonyms": "y"}', "record_invalid"),
        (b'{"id": "ORPHA:5", "name": "x", "definitions": [{"text": "y"}]}', "record_invalid"),
        (b'{"id": "ORPHA:5", "name": "x", "texts": [{"kind": "treatment"}]}', "record_invalid"),
        (b'{"id": "ORPHA:5", "name": "x", "parents": "DOID:4"}', "record_invalid"),
    ],
)
def test_a_bad_line_is_a_finding(line: bytes, code: str) -> None:
    """C8 B1: refused with line and code; the content of the line is not in the message."""
    record, findings = read_record(line, "d.jsonl", 7)
    assert record is None
    assert [(one.level, one.code, one.file, one.line) for one in findings] == [
        ("refused", code, "d.jsonl", 7)
    ]


def test_a_text_without_source_is_no_record() -> None:
    """C8: nothing is told without its source."""
    for name, part in (("texts", TREATED), ("treatments", ACTION)):
        bare = {key: value for key, value in part.items() if key != "source"}
        line = {"id": "ORPHA:5", "name": "x", name: [bare]}
        assert read_record(json.dumps(line).encode(), "d", 1)[0] is None


def test_codes_relations_and_treatments_are_read() -> None:
    """C8: each cross-reference with how the record stands to it; the names of the file's fields."""
    record, findings = read_record(json.dumps(PNEUMONIA[3]).encode(), "d", 1)
    assert record is not None and not findings
    assert {one.code: one.relation for one in record.codes} == {
        "OMIM:609016": "exact",
        "OMIM:154700": "broader",
        "MONDO:0012173": "unstated",
    }
    (treatment,) = record.treatments
    assert (treatment.action_id, treatment.target) == ("MAXO:0010006", "Myopathy")
    assert record.is_treated


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"xrefs": {"ICD-10": ["A00-A09", "A00"]}}, "code_invalid"),
        ({"xrefs": {"FOO": "A00", "ICD-10": "A00"}}, "code_invalid"),
        ({"parents": ["x", "DOID:4"], "xrefs": {"ICD-10": ["A00"]}}, "parent_invalid"),
        ({"parents": [4, "DOID:4"], "xrefs": {"ICD-10": ["A00"]}}, "parent_invalid"),
    ],
)
def test_a_bad_part_is_left_out_and_named(part: dict[str, Any], code: str) -> None:
    """C8 B2: the record stays with what is right in it."""
    line = {"id": "ORPHA:5", "name": "x", "later": 1} | part
    record, findings = read_record(json.dumps(line).encode(), "d", 3)
    assert record is not None
    assert [one.code for one in record.codes] == ["ICD10:A00"]
    assert [(one.code, one.level, one.line) for one in findings] == [(code, "warning", 3)]


def test_the_rest_of_a_file_goes_on() -> None:
    """C8: bad lines, a repeated id and an unknown parent are named; all else is there."""
    content = packed(*PNEUMONIA, b"{", b"", {"id": "orphanet:5", "name": "again"}, b"[]")
    table, words, card = read_diseases(content, a_card(content))
    assert (card.records, card.refused, len(words)) == (len(PNEUMONIA), 3, len(PNEUMONIA))
    assert card.by_code == {"id_repeated": 1, "not_json": 2}
    assert [one.line for one in card.findings] == [7, 9, 10]
    assert table.record("ORPHA:5").name == "Sjögren's deficiency"
    content = packed({"id": "DOID:1", "name": "x", "parents": ["DOID:2"]})
    _, _, card = read_diseases(content, a_card(content))
    assert [(one.code, one.line) for one in card.findings] == [("parent_unknown", 1)]
