"""What is asked about a patient, how a case is scored, and what is told of it."""

from typing import Any

import pytest
from builders import TERM_NAMES, Json, a_case
from hypothesis import given
from hypothesis import strategies as st

from cluster.case.case import Case
from cluster.case.redaction import redact
from cluster.errors import InputError
from cluster.standards.mme.match import (
    Candidate,
    PlatformContact,
    Question,
    patient_object,
    patient_score,
    question_of,
    results_of,
)
from cluster.standards.mme.messages import Patient, parsed_request
from tests.unit.standards.mme_builders import a_patient, a_request

CONTACT = PlatformContact("North", "https://north.example/contact", "North hospital")
SYMBOLS = {"ENSG00000167468": "GPX4", "2879": "GPX4", "HGNC:4556": "GPX4", "OLD1": "NEW1"}
shares = st.floats(0, 1)


def symbol_of(text: str) -> str:
    return SYMBOLS.get(text, "")


def asked(**changes: Any) -> Question:
    return question_of(parsed_request(a_request(**changes)).patient, symbol_of)


def genomic(gene: Json, status: str = "CAUSATIVE", *, with_variant: bool = True) -> Json:
    if not with_variant:
        return {"interpretationStatus": status, "gene": gene}
    descriptor = {
        "geneContext": gene,
        "expressions": [{"syntax": "hgvs.c", "value": "NM_002085.5:c.587+5G>A"}],
    }
    return {
        "interpretationStatus": status,
        "variantInterpretation": {"variationDescriptor": descriptor},
    }


def diagnosis(disease: str, *genomics: Json) -> Json:
    named = {"id": disease, "label": "Some disease"}
    return {"id": "i", "diagnosis": {"disease": named, "genomicInterpretations": list(genomics)}}


GPX4 = {"valueId": "HGNC:4556", "symbol": "GPX4"}


def a_found_case(**parts: Any) -> Case:
    given = {
        "observed": ("HP:0001250", "HP:0001627"),
        "excluded": ("HP:0001626",),
        "disease": None,
        "subject": {"id": "Smith", "sex": "FEMALE"},
        "interpretations": [diagnosis("OMIM:250220", genomic(GPX4))],
    }
    return a_case("case-77-Smith", **(given | parts))


def redacted(case: Case, shared_id: str = "shared-1") -> Json:
    names = TERM_NAMES | dict.fromkeys(("OMIM:250220", "ORPHA:93317"), "Some disease")
    return redact(case, shared_id, "north", lambda term: names.get(term, ""))


def candidate(similarity: float, shared_id: str = "shared-1", **parts: Any) -> Candidate:
    return Candidate(shared_id, redacted(a_found_case(**parts), shared_id), similarity)


@pytest.mark.parametrize(
    ("gene", "symbols"),
    [
        ({"id": "GPX4"}, ("GPX4",)),
        ({"id": "ENSG00000167468"}, ("GPX4",)),
        ({"id": "ENSG00000167468.18"}, ("GPX4",)),
        ({"id": "2879"}, ("GPX4",)),
        ({"id": "NCBIGene:2879"}, ("GPX4",)),
        ({"id": "HGNC:4556"}, ("GPX4",)),
        ({"id": "OLD1"}, ("NEW1",)),
        ({"id": "C9orf72"}, ("C9orf72",)),
        ({"id": "ENSG00000000001", "_geneName": "ABCD1"}, ("ABCD1",)),
        ({"id": "ENSG00000000001"}, ()),
        ({"id": "999"}, ()),
        ({"id": "the gene of Mr Smith"}, ()),
    ],
)
def test_genes_are_asked_for_by_any_of_their_names(gene: Json, symbols: tuple[str, ...]) -> None:
    """Symbol, Ensembl and Entrez id; one that nobody knows is counted and not compared."""
    question = asked(genomicFeatures=[{"gene": gene}])
    assert question.genes == symbols
    assert question.unknown_genes == 1 - len(symbols)


def test_without_a_table_of_genes_symbols_still_count() -> None:
    """The mapping is the caller's; knowing none is a mapping too."""
    patient = parsed_request(a_request()).patient
    assert question_of(patient, lambda _: "").genes == ("GPX4",)


def test_unknown_genes_are_said_by_number_alone() -> None:
    """Who asks must know that no gene was compared; what was sent is not repeated."""
    genes = [{"gene": {"id": one}} for one in ("GPX4", "ENSG00000000001", "999")]
    assert asked().remarks == ()
    (remark,) = asked(genomicFeatures=genes).remarks
    assert remark.startswith("2 gene ids not known here and not compared")
    assert "999" not in remark


def test_what_was_found_absent_is_never_asked_for_as_seen() -> None:
    """observed: no is a sign that was excluded; both together are neither."""
    states = {"HP:0000001": "yes", "HP:0000002": "no", "HP:0000003": "unknown"}
    features = [{"id": term, "observed": state} for term, state in states.items()]
    both = [{"id": "HP:0000004"}, {"id": "HP:0000004", "observed": "no"}]
    question = asked(features=features + both, disorders=[{"id": "MIM:250220"}, {"id": "X:1"}])
    assert question.observed == ("HP:0000001",)
    assert question.excluded == ("HP:0000002",)
    assert question.disorders == ("OMIM:250220",)


def test_a_score_is_made_of_its_parts() -> None:
    """As the decision says, worked out by hand."""
    assert patient_score(0.4, gene_match=True) == {
        "patient": 0.85,
        "_phenotype": 0.4,
        "_genotype": 0.75,
    }
    assert patient_score(0.4, same_disorder=True) == {
        "patient": 0.7,
        "_phenotype": 0.7,
        "_genotype": 0.0,
    }
    assert patient_score(0.0)["patient"] == 0.0


@given(shares, shares, st.booleans(), st.booleans())
def test_a_score_never_falls_with_a_further_sign(
    similarity: float, nearer: float, gene: bool, disorder: bool
) -> None:
    """Monotone in every sign, from 0 to 1."""

    def score(likeness: float, *, gene: bool, disorder: bool) -> float:
        return patient_score(likeness, gene_match=gene, same_disorder=disorder)["patient"]

    first = score(similarity, gene=gene, disorder=disorder)
    assert 0 <= first <= 1
    assert score(max(similarity, nearer), gene=gene, disorder=disorder) >= first
    assert score(similarity, gene=True, disorder=disorder) >= first
    assert score(similarity, gene=gene, disorder=True) >= first


@given(st.floats(0, 0.99))
def test_a_shared_gene_raises_a_score(similarity: float) -> None:
    """And equal phenotypes are 1, whatever the genes."""
    without = patient_score(similarity)["patient"]
    assert patient_score(similarity, gene_match=True)["patient"] > without
    assert patient_score(1.0)["patient"] == 1.0


def test_results_come_best_first_and_without_the_patient_itself() -> None:
    """Cases with nothing in common are left out, and no more than asked for are told."""
    none = {"interpretations": []}
    found = [
        candidate(0.2, "a", **none),
        candidate(0.2, "b"),
        candidate(1.0, "c", **none),
        candidate(1.0, "d"),
        candidate(1.0, "p1"),
        candidate(0.0, "f", **none),
    ]
    results = results_of(asked(), found, CONTACT)
    assert [one["patient"]["id"] for one in results] == ["d", "c", "b", "a"]
    scores = [one["score"]["patient"] for one in results]
    assert scores == sorted(scores, reverse=True)
    assert results[2]["score"] == {"patient": 0.8, "_phenotype": 0.2, "_genotype": 0.75}
    assert results_of(asked(), found, CONTACT, 2) == results[:2]


def test_a_gene_alone_and_a_diagnosis_alone_find_a_case() -> None:
    """Either sign is enough; one of several candidate genes is a gene in common."""
    two = [{"gene": {"id": "GPX4"}}, {"gene": {"id": "NGLY1"}}]
    for genes in (two[:1], two):
        question = asked(features=None, genomicFeatures=genes)
        assert results_of(question, [candidate(0.0)], CONTACT)[0]["score"]["patient"] == 0.75
    other = asked(features=None, genomicFeatures=two[1:])
    assert results_of(other, [candidate(0.0)], CONTACT) == []
    named = asked(genomicFeatures=None, disorders=[{"id": "MIM:250220"}])
    assert results_of(named, [candidate(0.0)], CONTACT)[0]["score"]["_phenotype"] == 0.5


def test_only_what_the_standard_asks_for_is_told() -> None:
    """The keys of the patient, and none of the case's own ids, names, variants or dates."""
    told = patient_object(redacted(a_found_case()), "shared-1", CONTACT)
    assert told == {
        "id": "shared-1",
        "contact": {
            "name": "North",
            "href": "https://north.example/contact",
            "institution": "North hospital",
        },
        "species": "NCBITaxon:9606",
        "sex": "FEMALE",
        "disorders": [{"id": "MIM:250220", "label": "Some disease"}],
        "features": [
            {"id": "HP:0001250", "label": "Seizure", "observed": "yes"},
            {"id": "HP:0001627", "label": "Heart shape", "observed": "yes"},
            {"id": "HP:0001626", "label": "Heart", "observed": "no"},
        ],
        "genomicFeatures": [{"gene": {"id": "GPX4"}}],
    }
    assert Patient.model_validate(told).id == "shared-1"


@pytest.mark.parametrize(
    ("gene", "told"),
    [
        (
            {"valueId": "ENSEMBL:ENSG00000167468.2", "symbol": "GPX4"},
            [{"gene": {"id": "ENSG00000167468", "_geneName": "GPX4"}}],
        ),
        ({"valueId": "NCBIGene:2879", "symbol": ""}, [{"gene": {"id": "2879"}}]),
        ({"valueId": "HGNC:4556", "symbol": ""}, None),
    ],
)
def test_genes_are_told_by_ids_of_the_standard(gene: Json, told: list[Json] | None) -> None:
    """Ensembl before symbol before Entrez; each once, with or without a variant."""
    twice = [genomic(gene), genomic(gene, with_variant=False)]
    case = a_found_case(interpretations=[diagnosis("OMIM:1", *twice)])
    assert patient_object(redacted(case), "s", CONTACT).get("genomicFeatures") == told


def test_a_rejected_gene_and_an_excluded_disease_are_not_told() -> None:
    """Nor a disease of another vocabulary, nor a sex that is not known."""
    case = a_found_case(
        interpretations=[diagnosis("ORPHA:93317", genomic(GPX4, "REJECTED"))],
        diseases=[
            {"term": {"id": "OMIM:250220", "label": "x"}, "excluded": True},
            {"term": {"id": "MONDO:0009515", "label": "x"}},
            {"term": {"id": "OMIM:PS123456", "label": "x"}},
        ],
        subject={"id": "x"},
    )
    told = patient_object(redacted(case), "s", CONTACT)
    assert told["disorders"] == [{"id": "Orphanet:93317", "label": "Some disease"}]
    assert not {"genomicFeatures", "sex"} & told.keys()
    assert results_of(asked(features=None), [Candidate("s", redacted(case), 0.0)], CONTACT) == []


def test_a_case_without_sign_or_gene_is_not_told() -> None:
    """The standard has no patient for it; what was found both there and absent is no sign."""
    case = a_found_case(observed=("HP:0001250",), excluded=("HP:0001250",), interpretations=[])
    assert results_of(asked(), [Candidate("s", redacted(case), 0.9)], CONTACT) == []
    with pytest.raises(InputError):
        patient_object(redacted(case), "s", CONTACT)


def test_a_test_query_says_so() -> None:
    """For whoever would tell an owner of the match."""
    assert asked(test=True).is_test and not asked().is_test
    assert a_patient()["id"] == asked().patient_id
