"""What is read out of a phenopacket, and what is refused without repeating it."""

import json
import sys

import pytest
from builders import a_case, a_phenopacket

from cluster.case.case import read_case
from cluster.case.phenopacket import Age
from cluster.errors import CaseInvalid
from cluster.ids import sha256

CANARY = "Wilhelmine-Canary"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("P6Y", 6 * 365.25),
        ("P3M", 3 * 30.4375),
        ("P1M2D", 30.4375 + 2),
        ("P2W", 14.0),
        ("P1Y2M3W4D", 365.25 + 2 * 30.4375 + 21 + 4),
        ("P0.5Y", 182.625),
        ("P1DT12H", 1.5),
        ("PT6H", 0.25),
        ("P0D", 0.0),
        ("P6", None),
        ("PY", None),
        ("P1M1Y", None),
        ("P-3Y", None),
        ("", None),
        ("P1DT", None),
        ("45", None),
        ("P" + "9" * 400 + "Y", None),
    ],
)
def test_an_age_is_read_in_days(text: str, days: float | None) -> None:
    """A2: an ISO 8601 duration is days; one that cannot be read is no age."""
    found = Age.model_validate({"iso8601duration": text}).days()
    assert found == (None if days is None else pytest.approx(days))


YEAR = 365.25


@pytest.mark.parametrize(
    ("element", "days", "span"),
    [
        ({"age": {"iso8601duration": "P2D"}}, 2.0, (2.0, 3.0)),
        ({"age": {"iso8601duration": "P3Y"}}, 3 * YEAR, (3 * YEAR, 4 * YEAR)),
        ({"age": {"iso8601duration": "soon"}}, None, None),
        ({"gestationalAge": {"weeks": 30, "days": 2}}, 0.0, (-68.0, -67.0)),
        ({"gestationalAge": {"days": 5}}, 0.0, (-275.0, -274.0)),
        ({"gestationalAge": {"weeks": 41}}, 0.0, (-1.0, 0.0)),
        ({"gestationalAge": {"weeks": 99}}, None, None),
        ({"ontologyClass": {"id": "HP:0003593"}}, None, (28.0, YEAR)),
        ({"ontologyClass": {"id": "HP:0001250"}}, None, None),
        ({"ageRange": {"start": {"iso8601duration": "P1Y"}}}, None, None),
    ],
)
def test_each_form_of_a_time_is_read(
    element: object, days: float | None, span: tuple[float, float] | None
) -> None:
    """B1: an age before birth is 0, a class is no number; all forms are compared where they can."""
    case = a_case(subject={"id": "1", "timeAtLastEncounter": element})
    time = case.phenopacket.subject.time_at_last_encounter
    assert case.age_days == days
    assert case.age_years == (None if days is None else days / YEAR)
    assert time is not None and time.span_days() == span
    assert json.loads(case.document)["subject"]["timeAtLastEncounter"] == element


@pytest.mark.parametrize(
    ("subject", "sex"),
    [
        ({"sex": "FEMALE"}, "FEMALE"),
        ({"sex": "OTHER_SEX"}, "OTHER_SEX"),
        ({}, "UNKNOWN_SEX"),
        ({"sex": "lady"}, "UNKNOWN_SEX"),
    ],
)
def test_the_sex_is_a_code(subject: dict[str, str], sex: str) -> None:
    """B1: the sex is a code of the schema, and what is none is unknown."""
    assert a_case(subject=subject).sex == sex


@pytest.mark.parametrize(
    ("resources", "releases"),
    [
        ([{"id": "hp", "version": "2025-11-24", "namespacePrefix": "HP"}], ("2025-11-24",)),
        ([{"id": "hp", "version": "2024-02-27"}, {"id": "so", "version": "1"}], ("2024-02-27",)),
        ([{"id": "x", "version": "2", "namespacePrefix": "HP"}, {"id": "hp"}], ("2",)),
        ([], ()),
    ],
)
def test_the_hpo_release_is_that_of_the_resource(
    resources: list[dict[str, str]], releases: tuple[str, ...]
) -> None:
    """B2: a case knows the release of the ontology that it was written with."""
    assert a_case(metaData={"resources": resources}).hpo_releases == releases


def diagnosis(disease: str) -> dict[str, object]:
    return {"id": "i", "diagnosis": {"disease": {"id": disease, "label": "from a diagnosis"}}}


@pytest.mark.parametrize(
    ("interpretations", "diseases", "found"),
    [
        ([diagnosis("OMIM:1")], [("OMIM:2", False)], "OMIM:1"),
        ([{"id": "i"}, diagnosis("OMIM:1")], [], "OMIM:1"),
        ([{"id": "i", "diagnosis": {}}], [("OMIM:2", False)], "OMIM:2"),
        ([], [("OMIM:2", True), ("OMIM:3", False)], "OMIM:3"),
        ([], [("OMIM:2", True)], None),
        ([diagnosis("OMIM:1")], [("OMIM:1", True), ("OMIM:3", False)], "OMIM:3"),
        ([], [], None),
    ],
)
def test_the_disease_is_the_diagnosis_else_the_first_not_excluded(
    interpretations: list[object], diseases: list[tuple[str, bool]], found: str | None
) -> None:
    """A2: a ruled-out disease is never the class of a case."""
    given = [{"term": {"id": name}, "excluded": out} for name, out in diseases]
    case = a_case(disease=None, interpretations=interpretations, diseases=given)
    assert (case.disease.id if case.disease else None) == found


def test_observed_and_excluded_are_kept_apart_each_once() -> None:
    """A4: an excluded term is not observed, repeats count once, order is the document's."""
    case = a_case(
        observed=("HP:0000002", "HP:0000001", "HP:0000002"), excluded=("HP:0000003", "HP:0000003")
    )
    assert case.observed == ("HP:0000002", "HP:0000001")
    assert case.excluded == ("HP:0000003",)


def test_what_is_said_both_ways_is_neither() -> None:
    """A4: a term observed and excluded in one case is in neither set, nor in the text."""
    terms = ("HP:0001250", "HP:0001626")
    case = a_case(observed=terms, excluded=("HP:0001250",))
    assert (case.observed, case.excluded) == (("HP:0001626",), ())
    assert case.conflicting == ("HP:0001250",)
    assert "Heart" in case.text and "Seizure" not in case.text


def test_genes_come_from_variants_and_from_genes() -> None:
    """A4: a gene counts whether a variant names it or the interpretation itself; sorted, once."""
    context = {"geneContext": {"valueId": "HGNC:1", "symbol": "NF1"}}
    findings = [
        {"gene": {"valueId": "HGNC:2", "symbol": "ABCB7"}},
        {"variantInterpretation": {"variationDescriptor": context}},
        {"variantInterpretation": {"variationDescriptor": context}},
        {"interpretationStatus": "CANDIDATE"},
    ]
    given = [{"id": "i", "diagnosis": {"genomicInterpretations": findings}}]
    assert a_case(interpretations=given).genes == ("ABCB7", "NF1")


def test_the_text_to_search_has_no_excluded_labels() -> None:
    """A4: a search for words never finds a case by what it does not have."""
    case = a_case(observed=("HP:0001250",), excluded=("HP:0001626",), publication="PMID:1")
    assert "Seizure" in case.text
    assert "Heart" not in case.text
    assert "About PMID:1" in case.text
    assert case.publication == ("PMID:1", "About PMID:1")


def test_unknown_fields_stay_in_the_document() -> None:
    """B1: what Dazzle does not interpret is kept as it came."""
    measured = [{"assay": {"id": "LOINC:1"}, "value": {"quantity": {"value": 2.5}}}]
    case = a_case(measurements=measured, files=[{"uri": "file://x"}])
    assert json.loads(case.document)["measurements"] == measured
    assert json.loads(case.document)["files"] == [{"uri": "file://x"}]


@pytest.mark.parametrize(
    "unset",
    [
        {"subject": None},
        {"subject": {"id": None, "sex": None, "timeAtLastEncounter": None}},
        {"subject": {"timeAtLastEncounter": {"age": {"iso8601duration": None}}}},
        {"subject": {"timeAtLastEncounter": {"age": None, "ontologyClass": {"id": ""}}}},
        {"phenotypicFeatures": [{"type": {"id": "HP:0001250", "label": None}, "excluded": None}]},
        {"diseases": None, "interpretations": [{"diagnosis": {"disease": {"id": "OMIM:100"}}}]},
        {"interpretations": None, "metaData": None},
        {"metaData": {"resources": None, "externalReferences": None}},
    ],
)
def test_null_is_unset(unset: dict[str, object]) -> None:
    """B1: protobuf's JSON writes null for what is unset; it is no reason to refuse a case."""
    case = a_case(**unset)
    assert (case.observed, case.sex, case.age_days) == (("HP:0001250",), "UNKNOWN_SEX", None)
    assert case.disease and case.disease.id == "OMIM:100"
    assert case.phenopacket.unnamed_parts == ()
    name = next(iter(unset))
    assert json.loads(case.document)[name] == unset[name]


@pytest.mark.parametrize(
    ("number", "sex", "progress", "status"),
    [
        (0, "UNKNOWN_SEX", "UNKNOWN_PROGRESS", "UNKNOWN_STATUS"),
        (1, "FEMALE", "IN_PROGRESS", "REJECTED"),
        (2, "MALE", "COMPLETED", "CANDIDATE"),
        (3, "OTHER_SEX", "SOLVED", "CONTRIBUTORY"),
        (4, "4", "UNSOLVED", "CAUSATIVE"),
        (-1, "-1", "-1", "-1"),
    ],
)
def test_an_enum_may_be_its_number(number: int, sex: str, progress: str, status: str) -> None:
    """B1: numbers are those of the schema; one that it does not have is no code."""
    genomic = [{"interpretationStatus": number}]
    told = {"progressStatus": number, "diagnosis": {"genomicInterpretations": genomic}}
    case = a_case(subject={"sex": number}, interpretations=[told])
    (read,) = case.phenopacket.interpretations
    assert (case.phenopacket.subject.sex, read.progress_status) == (sex, progress)
    assert read.diagnosis
    assert read.diagnosis.genomic_interpretations[0].interpretation_status == status


@pytest.mark.parametrize("nothing", [{}, {"type": None}, {"type": {}}, {"type": {"id": ""}}])
def test_a_part_without_an_id_is_left_out(nothing: dict[str, object]) -> None:
    """B1: the case and its other parts stay, the place is known, the document keeps the part."""
    seizure = {"type": {"id": "HP:0001250"}}
    unnamed = {"diagnosis": {"disease": {"id": "", "label": ""}}}
    case = a_case(
        phenotypicFeatures=[nothing | {"excluded": True}, seizure],
        interpretations=[{"diagnosis": {}}, unnamed],
        diseases=[{"term": nothing.get("type")}, {"term": {"id": "OMIM:7"}}],
    )
    assert (case.observed, case.excluded) == (("HP:0001250",), ())
    assert [one.id for one in case.diseases] == ["OMIM:7"]
    assert case.phenopacket.unnamed_parts == (
        "phenotypicFeatures.0",
        "diseases.0",
        "interpretations.1.diagnosis.disease",
    )
    assert json.loads(case.document)["phenotypicFeatures"][0] == nothing | {"excluded": True}


def test_the_digest_does_not_depend_on_key_order_or_white_space() -> None:
    """A4: the same content has the same digest, another content another one."""
    content = a_phenopacket(measurements=[{"b": 1, "a": [1, 2]}])
    turned = json.dumps(dict(reversed(content.items())), indent=3)
    assert read_case(turned).digest == read_case(json.dumps(content)).digest
    assert read_case(turned).digest == sha256(read_case(turned).document)
    changed = a_phenopacket(measurements=[{"b": 1, "a": [2, 1]}])
    assert read_case(json.dumps(changed)).digest != read_case(turned).digest


def test_bytes_with_a_byte_order_mark_are_read() -> None:
    """B1: a file that an editor of Windows saved is read like any other."""
    raw = json.dumps(a_phenopacket()).encode("utf-8-sig")
    assert read_case(raw).digest == a_case().digest


FEATURE = {"type": {"id": "HP:0000001"}}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({}, "id"),
        ({"id": ""}, "id"),
        ({"id": 5, "phenotypicFeatures": [FEATURE]}, "id"),
        ({"id": "a" * 256}, "id"),
        ({"id": "a"}, "document"),
        ({"id": "a", "subject": {"id": CANARY}}, "document"),
        ({"id": "a", "diseases": [{"term": {"id": "X:1"}, "excluded": True}]}, "document"),
        ({"id": "a", "subject": CANARY}, "subject"),
        ({"id": "a", "subject": None}, "document"),
        ({"id": "a", "subject": {"id": [CANARY]}}, "subject.id"),
        ({"id": "a", "phenotypicFeatures": CANARY}, "phenotypicFeatures"),
        ({"id": "a", "phenotypicFeatures": [{}]}, "document"),
        (
            {"id": "a", "phenotypicFeatures": [FEATURE, {"type": {"id": CANARY}}]},
            "phenotypicFeatures.1.type.id",
        ),
        (
            {"id": "a", "phenotypicFeatures": [FEATURE | {"excluded": CANARY}]},
            "phenotypicFeatures.0.excluded",
        ),
        ({"id": "a", "phenotypicFeatures": [FEATURE] * 2001}, "phenotypicFeatures"),
        ({"id": "a", "diseases": [{"term": {"id": f"{CANARY}: 1"}}]}, "diseases.0.term.id"),
        (
            {
                "id": "a",
                "subject": {"timeAtLastEncounter": {"age": {"iso8601duration": [CANARY]}}},
            },
            "subject.timeAtLastEncounter.age.iso8601duration",
        ),
        ([CANARY], "document"),
        (CANARY, "document"),
        (None, "document"),
    ],
)
def test_a_refusal_names_the_place_and_no_value(content: object, place: str) -> None:
    """B1 B9: what is not a phenopacket is refused at its place, and its values are not repeated."""
    with pytest.raises(CaseInvalid) as caught:
        read_case(json.dumps(content))
    assert caught.value.where == place
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.args)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   ",
        b"{",
        b'{"id": "Wilhelmine-Canary", ',
        b"\xff\xfe\xff",
        b'{"id": "\xe9"}',
        b'{"id": "a", "x": NaN}',
        b'{"id": "a", "x": -Infinity}',
        b'{"id": "a"} {"id": "b"}',
        b'{"id": "a", "x": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    """B1: text that is not one JSON value in UTF-8 is refused, and not repeated."""
    with pytest.raises(CaseInvalid) as caught:
        read_case(raw)
    assert "readable as JSON" in caught.value.what
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("value", ["1e999", "-1e999", '"\\ud800"', '{"\\udfff": 1}'])
def test_a_value_that_cannot_be_stored_is_refused(value: str) -> None:
    """B1: a number too large for JSON or half a character in any field refuses that record only."""
    raw = json.dumps(a_phenopacket())[:-1] + f', "measurements": [{value}]}}'
    with pytest.raises(CaseInvalid):
        _ = read_case(raw).digest


def test_no_depth_of_nesting_escapes() -> None:
    """B1 B9: however deep a record is nested, it is read or refused, at the very limit too."""
    start = json.dumps(a_phenopacket())[:-1]
    refused = 0
    for depth in range(1, sys.getrecursionlimit() + 100):
        try:
            read_case(f'{start}, "deep": {"[" * depth}{"]" * depth}}}')
        except CaseInvalid:
            refused += 1
    assert refused
