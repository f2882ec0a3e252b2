"""Which records become cases, and what is said about the others."""

from typing import Any

import pytest
from builders import SEIZURE, a_phenopacket, a_record, a_small_ontology, phenopackets
from hypothesis import given
from hypothesis import strategies as st

from cluster.case.case import read_case
from cluster.contracts.ingest import Finding, Source
from cluster.ingest.intake import Intake, Record, part_of, take_in
from cluster.ontology import Ontology

ONTOLOGY = a_small_ontology()


def codes(intake: Intake) -> list[tuple[str, str, int]]:
    return [(finding.level, finding.code, finding.line) for finding in intake.findings]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, []),
        ({"observed": ["HP:0009000"]}, [("note", "term_obsolete")]),
        ({"observed": ["HP:0009001"]}, [("warning", "term_unknown")]),
        ({"observed": ["HP:7654321", "HP:0001250"]}, [("warning", "term_unknown")]),
        ({"observed": [], "excluded": ["HP:0001250"]}, [("warning", "no_observed_term")]),
        ({"disease": None}, [("warning", "no_disease")]),
        (
            {"observed": [], "excluded": ["HP:0001250"], "disease": None},
            [("warning", "no_disease"), ("warning", "no_observed_term")],
        ),
    ],
)
def test_a_case_with_a_reservation_is_taken_and_remarked(
    parts: dict[str, Any], expected: list[tuple[str, str]], small_ontology: Ontology
) -> None:
    """B2: every doubt about a case is one finding with its place, and the case is taken."""
    record = a_record(a_phenopacket("case-7", **parts), line=3)
    intake = take_in([record], small_ontology)
    assert (intake.read, intake.refused, len(intake.cases)) == (1, 0, 1)
    assert [(f.level, f.code) for f in intake.findings] == expected
    for finding in intake.findings:
        assert (finding.file, finding.line, finding.case_id) == ("cases.jsonl", 3, "case-7")
        assert finding.message


def test_terms_and_category_are_placed(small_ontology: Ontology) -> None:
    """A3 B2: a case has its terms as rows, obsolete ones as their successors, and its category."""
    record = a_record(a_phenopacket(observed=["HP:0009000"], excluded=["HP:0001626"]))
    (taken,) = take_in([record], small_ontology).cases
    assert taken.terms.rows == (SEIZURE,)
    assert taken.category == "Nervous system"


def test_a_bad_record_never_stops_the_rest(small_ontology: Ontology) -> None:
    """B1: whatever is wrong with a record, the ones around it are taken."""
    bad = [
        b"{",
        b"[]",
        b"\xff",
        b'{"id": "a"}',
        b'{"id": "a", "diseases": [{"term": {"id": "X:1"}}], "m": 1e999}',
        b'{"id": "a", "diseases": [{"term": {"id": "X:1"}}], "m": "\\ud800"}',
        b'{"id": "a", "diseases": [{"term": {"id": "X:1"}}], "m": ' + b"[" * 9999 + b"]" * 9999,
    ]
    records: list[Record] = []
    for number, content in enumerate(bad):
        records.append(a_record(content, line=2 * number + 1))
        records.append(a_record(a_phenopacket(f"good-{number}"), line=2 * number + 2))
    intake = take_in(records, small_ontology)
    assert [taken.case.case_id for taken in intake.cases] == [f"good-{n}" for n in range(len(bad))]
    assert codes(intake) == [("refused", "case_invalid", 2 * n + 1) for n in range(len(bad))]
    assert (intake.read, intake.refused) == (2 * len(bad), len(bad))


def test_findings_about_places_are_passed_on(small_ontology: Ontology) -> None:
    """B1: where no record could be had, the finding is kept and nothing is counted as read."""
    finding = Finding(level="refused", code="file_empty", file="x.jsonl")
    intake = take_in([finding, a_record(a_phenopacket())], small_ontology)
    assert intake.findings == [finding]
    assert (intake.read, intake.refused) == (1, 0)


@pytest.mark.parametrize(
    ("second", "code"), [("OMIM:100", "case_repeated"), ("OMIM:200", "case_id_conflict")]
)
def test_an_equal_id_counts_once(second: str, code: str, small_ontology: Ontology) -> None:
    """B2: of two records with one id the first counts; the other is named, with where."""
    records = [
        a_record(a_phenopacket("a"), 1),
        a_record(a_phenopacket("b"), 2),
        a_record(a_phenopacket("a", disease=second), 3),
    ]
    intake = take_in(records, small_ontology)
    assert [taken.case.case_id for taken in intake.cases] == ["a", "b"]
    assert codes(intake) == [("refused", code, 3)]
    assert "cases.jsonl:1" in intake.findings[0].message
    assert (intake.read, intake.refused) == (3, 1)


def test_an_equal_id_counts_once_in_files_of_one_name(small_ontology: Ontology) -> None:
    """B2: two folders may each hold a case.json; the same id in both is still one case."""
    records = [a_record(a_phenopacket("a"), 1, "case.json") for _ in range(2)]
    intake = take_in(records, small_ontology)
    assert [taken.case.case_id for taken in intake.cases] == ["a"]
    assert codes(intake) == [("refused", "case_repeated", 1)]


def test_equal_profiles_of_different_people_are_different_cases(small_ontology: Ontology) -> None:
    """B2: siblings with the same signs are two cases."""
    records = [a_record(a_phenopacket(case_id), line) for line, case_id in enumerate("ab", 1)]
    intake = take_in(records, small_ontology)
    assert len(intake.cases) == 2
    assert not intake.findings


def test_only_the_first_part_reports_what_cannot_be_read(small_ontology: Ontology) -> None:
    """B1: of a shared file, an unreadable record is reported once, not by every platform."""
    finding = Finding(level="refused", code="file_damaged", file="x.jsonl")
    records: list[Record | Finding] = [finding, a_record(b"{", 2)]
    found = [
        take_in(records, small_ontology, Source(files=(), part=part, parts=3)) for part in range(3)
    ]
    assert [len(intake.findings) for intake in found] == [2, 0, 0]
    assert [intake.read for intake in found] == [1, 0, 0]
    assert [intake.refused for intake in found] == [1, 0, 0]


packets = st.lists(
    st.tuples(phenopackets(), st.sampled_from(["", "PMID:1", "PMID:2", "PMID:3"])), max_size=12
)


@given(packets, st.integers(1, 5))
def test_parts_cover_everything_once_and_keep_publications_together(
    drawn: list[tuple[dict[str, object], str]], parts: int
) -> None:
    """A1 B1: platforms that share a file take every case once, and a publication is not split."""
    records = []
    for number, (packet, publication) in enumerate(drawn):
        named = packet | {"id": f"case-{number}"}
        if publication:
            named["metaData"] = {"externalReferences": [{"id": publication}]}
        records.append(a_record(named, number))
    taken = [
        take_in(records, ONTOLOGY, Source(files=(), part=part, parts=parts))
        for part in range(parts)
    ]
    ids = [case.case.case_id for intake in taken for case in intake.cases]
    assert sorted(ids) == sorted(f"case-{number}" for number in range(len(drawn)))
    homes: dict[str, set[int]] = {}
    for part, intake in enumerate(taken):
        for case in intake.cases:
            if case.case.publication[0]:
                homes.setdefault(case.case.publication[0], set()).add(part)
    assert all(len(places) == 1 for places in homes.values())
    assert sum(intake.read for intake in taken) == len(drawn)


@given(phenopackets(), st.integers(1, 50))
def test_a_part_depends_on_the_case_alone(packet: dict[str, object], parts: int) -> None:
    """A1: a case's part is one of the parts, and the same at every try."""
    first, second = (part_of(read_case(a_record(packet).content), parts) for _ in range(2))
    assert first == second
    assert 0 <= first < parts
