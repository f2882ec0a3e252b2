"""Finding a case by what it shows, is, says or is like, and ranking diseases (S400)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import TERM_IDS, a_phenopacket
from pydantic import ValidationError

from cluster.errors import InputError, NotFound
from cluster.flow.platform import Platform
from cluster.flow.search import asked_like, search
from cluster.retrieval.index import CaseFilter
from cluster.retrieval.query import K_MAX, TERMS_MAX, TEXT_MAX, CaseHit, CaseQuery, SearchAnswer
from cluster.storage.lance import LanceIndex
from tests.unit.flow.world import open_at, take_in

SEIZURE, TONIC, HEART, HEART_SHAPE = "HP:0001250", "HP:0002069", "HP:0001626", "HP:0001627"
NERVES, BOTH, OLD = "HP:0000707", "HP:0003000", "HP:0009000"


def of_gene(symbol: str, disease: str) -> list[dict[str, Any]]:
    gene = {"geneContext": {"symbol": symbol}}
    found = [{"variantInterpretation": {"variationDescriptor": gene}}]
    diagnosis = {"disease": {"id": disease, "label": "D"}, "genomicInterpretations": found}
    return [{"id": "i", "diagnosis": diagnosis}]


def aged(years: int, sex: str) -> dict[str, Any]:
    return {
        "id": "1",
        "sex": sex,
        "timeAtLastEncounter": {"age": {"iso8601duration": f"P{years}Y"}},
    }


PACKETS = (
    a_phenopacket("seizure", observed=(SEIZURE,), disease="OMIM:1", subject=aged(3, "FEMALE")),
    a_phenopacket("tonic", observed=(TONIC,), disease="OMIM:2", subject=aged(30, "MALE")),
    a_phenopacket(
        "heart",
        observed=(HEART_SHAPE,),
        disease="OMIM:2",
        publication="PMID:7",
        excluded=(SEIZURE,),
        interpretations=of_gene("NF1", "OMIM:2"),
    ),
    a_phenopacket("silent", observed=(), disease="OMIM:3"),
    a_phenopacket("unnamed", observed=(BOTH,), disease=None),
)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """Five cases: seizures, the heart, both, one without a sign, one without a diagnosis."""
    opened = open_at(tmp_path)
    take_in(opened, *PACKETS)
    return opened


def asked(platform: Platform, **query: object) -> SearchAnswer:
    where = {name: query.pop(name) for name in list(query) if name in CaseFilter.model_fields}
    return search(platform, CaseQuery.model_validate(query | {"where": where}))


def ids(platform: Platform, **query: object) -> list[str]:
    return [hit.case_id for hit in asked(platform, **query).hits]


def hits_by_id(platform: Platform, **query: object) -> dict[str, CaseHit]:
    return {hit.case_id: hit for hit in asked(platform, **query).hits}


def test_by_terms_best_first_and_explained(platform: Platform) -> None:
    """A4: the same sign is nearest; a kindred one is found through what both have in common."""
    answer = asked(platform, terms=(SEIZURE,))
    first, second = answer.hits[0], next(h for h in answer.hits if h.case_id == "tonic")
    assert first.case_id == "seizure"
    # shared 1 + 2 of 1 + 2 and of 1 + 2 + 3 nats
    assert (first.similarity, second.similarity) == (1.0, 0.5)
    assert [(m.asked, m.found, m.through, m.information) for m in second.matches] == [
        (SEIZURE, TONIC, SEIZURE, 2.0)
    ]
    assert (second.matches[0].asked_name, second.matches[0].found_name) == (
        "Seizure",
        "Tonic-clonic seizure",
    )
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)


def test_diseases_are_ranked_with_probabilities(platform: Platform) -> None:
    """A4: every disease that has a case, the number of its cases, and that it is none of them."""
    answer = asked(platform, terms=(SEIZURE,))
    assert answer.diseases[0].disease_id == "OMIM:1"
    assert answer.diseases[0].disease_label == "Disease OMIM:1"
    assert {hit.disease_id: hit.n_cases for hit in answer.diseases} == {
        "OMIM:1": 1,
        "OMIM:2": 2,
        "OMIM:3": 1,
    }
    assert answer.none_of_these is not None
    total = sum(hit.probability for hit in answer.diseases) + answer.none_of_these
    assert total == pytest.approx(1.0, abs=1e-5)
    assert len(asked(platform, terms=(SEIZURE,), k=2).diseases) == 2


def test_a_case_without_a_diagnosis_is_found(platform: Platform) -> None:
    """A4: nobody has to be diagnosed to be found."""
    assert ids(platform, terms=(BOTH,))[0] == "unnamed"


def test_an_excluded_sign_is_not_a_seen_one(platform: Platform) -> None:
    """A4 B1: a case without the sign is no match for it; the contradiction is named."""
    heart = hits_by_id(platform, terms=(SEIZURE,))["heart"]
    assert (heart.matches, heart.similarity, heart.against) == ((), 0.0, (SEIZURE,))


def test_seen_and_absent_are_different_patients(platform: Platform) -> None:
    """A4: moving a term from the seen to the absent ones asks about somebody else."""
    seen = hits_by_id(platform, terms=(NERVES, HEART_SHAPE))
    absent = hits_by_id(platform, terms=(HEART_SHAPE,), excluded=(NERVES,))
    assert seen["heart"].against == () and absent["heart"].against == ()
    assert seen["tonic"].against == ()
    assert absent["tonic"].against == (NERVES,)  # a tonic-clonic seizure is one of the nerves
    assert {m.asked for m in absent["unnamed"].matches} == {HEART_SHAPE}
    assert {m.asked for m in seen["unnamed"].matches} == {NERVES, HEART_SHAPE}
    assert seen["tonic"].similarity > 0 == absent["tonic"].similarity


def test_contradictions_go_through_ancestors(platform: Platform) -> None:
    """A4: without seizures there is no tonic-clonic one; without a tonic-clonic one there may be
    seizures."""
    assert hits_by_id(platform, terms=(TONIC,))["heart"].against == (TONIC,)
    assert hits_by_id(platform, terms=(NERVES,))["heart"].against == ()
    hits = hits_by_id(platform, terms=(HEART,), excluded=(TONIC, SEIZURE))
    assert hits["seizure"].against == (SEIZURE,)
    assert hits["tonic"].against == (SEIZURE, TONIC)
    assert hits["heart"].against == ()


def test_agreement_on_what_is_absent_counts_for_a_case(tmp_path: Path) -> None:
    """A4: of two cases with the same signs the one that lacks the same sign too is nearer."""
    platform = open_at(tmp_path)
    take_in(
        platform,
        a_phenopacket("a", observed=(SEIZURE,), disease="OMIM:1"),
        a_phenopacket("b", observed=(SEIZURE,), disease="OMIM:1", excluded=(HEART,)),
    )
    assert ids(platform, terms=(SEIZURE,)) == ["a", "b"]
    assert ids(platform, terms=(SEIZURE,), excluded=(HEART,)) == ["b", "a"]


def test_by_disease_and_by_gene(platform: Platform) -> None:
    """A4: only cases of the disease or with the gene, with or without terms; the hit says so."""
    assert ids(platform, disease_id="OMIM:2") == ["heart", "tonic"]
    assert ids(platform, disease_id="OMIM:2", terms=(HEART_SHAPE,)) == ["heart", "tonic"]
    assert ids(platform, disease_id="OMIM:404") == []
    assert ids(platform, gene="NF1") == ["heart"]
    assert ids(platform, gene="NF1", disease_id="OMIM:1") == []
    (hit,) = asked(platform, disease_id="OMIM:3").hits
    assert (hit.facts, hit.score, hit.matches) == (("disease_id OMIM:3",), 0.0, ())
    answer = asked(platform, gene="NF1")
    assert (answer.diseases, answer.none_of_these) == ([], None)


def test_filters_narrow_and_combine(platform: Platform) -> None:
    """A4: sex, age, organ system, state and rare feature, alone, together and with terms."""
    assert ids(platform, sex="MALE") == ["tonic"]
    assert ids(platform, age_min=2, age_max=40) == ["seizure", "tonic"]
    assert ids(platform, age_max=10, sex="MALE") == []
    assert ids(platform, category="Heart") == ["heart"]
    assert ids(platform, state="received") == []
    assert len(ids(platform, rare_min=0)) == 5
    assert ids(platform, rare_min=1e6) == []
    answer = asked(platform, terms=(SEIZURE,), age_min=0, sex="FEMALE", state="own")
    assert [hit.case_id for hit in answer.hits] == ["seizure"]
    assert answer.hits[0].facts == ("sex FEMALE", "age_min 0.0")
    assert len(answer.diseases) == 3  # diseases are compared over all cases


def test_by_text(platform: Platform) -> None:
    """A4: words of labels and titles find a case, a filter narrows them; the hit says so."""
    (hit,) = asked(platform, text="about pmid").hits
    assert (hit.case_id, hit.facts) == ("heart", ("words of the text",))
    assert ids(platform, text="about pmid", category="Nervous system") == []
    (hit,) = asked(platform, text="pmid", sex="UNKNOWN_SEX").hits
    assert hit.facts == ("sex UNKNOWN_SEX", "words of the text")


def test_by_another_case(platform: Platform) -> None:
    """A4: a case finds its likes, and not itself, however few are asked for."""
    assert ids(platform, like="seizure", k=1) == ["tonic"]
    assert "seizure" not in ids(platform, like="seizure")
    assert ids(platform, like="seizure", sex="MALE") == ["tonic"]
    with pytest.raises(NotFound, match="no such case"):
        asked(platform, like="nobody")


def test_a_case_does_not_speak_for_its_own_disease(platform: Platform) -> None:
    """A4: the case that is asked about is not counted, so it cannot confirm its own diagnosis."""
    found = asked(platform, like="seizure")
    assert {hit.disease_id for hit in found.diseases} == {"OMIM:2", "OMIM:3"}
    counted = {hit.disease_id: hit.n_cases for hit in asked(platform, like="heart").diseases}
    assert counted == {"OMIM:1": 1, "OMIM:2": 1, "OMIM:3": 1}


def test_another_case_is_asked_with_what_it_lacks(platform: Platform) -> None:
    """A4: its excluded terms stay excluded."""
    query = asked_like(platform, CaseQuery(like="heart"))
    assert (query.terms, query.excluded, query.like) == ((HEART_SHAPE,), (SEIZURE,), "heart")
    assert hits_by_id(platform, like="heart")["tonic"].against == (SEIZURE,)


def test_k_is_the_most_that_comes_back(platform: Platform) -> None:
    """A4: never more hits than asked for, and a smaller answer is the head of a larger one."""
    whole = ids(platform, terms=(NERVES,))
    assert [ids(platform, terms=(NERVES,), k=k) for k in (1, 2, 5, 9, K_MAX)] == [
        whole[:1],
        whole[:2],
        whole,
        whole,
        whole,
    ]


def test_what_was_not_asked_as_given_is_remarked(platform: Platform) -> None:
    """A4: terms that are replaced, unknown or contradictory are told of; the rest is asked."""
    answer = asked(platform, terms=(OLD, "HP:7777777", HEART), excluded=("fever", HEART))
    assert answer.remarks == (
        f"{OLD} is obsolete; {SEIZURE} was asked for",
        "terms that are not in the ontology: 2",
        "terms that are both seen and absent, and asked for as neither: 1",
    )
    assert answer.hits[0].case_id == "seizure"
    assert asked(platform, terms=(SEIZURE,)).remarks == ()


BAD: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({}, "nothing to look for", "query"),
    "white space": ({"text": "  \n "}, "nothing to look for", "query"),
    "unknown terms only": ({"terms": ("HP:7777777", "Q9")}, "none of 2 terms is in", "terms"),
    "absent terms only": ({"excluded": (SEIZURE,)}, "no observed term; only excluded", "terms"),
    "seen and absent": ({"terms": (SEIZURE,), "excluded": (OLD,)}, "both seen and", "terms"),
    "too many terms": ({"terms": TERM_IDS * 2000}, "12000 terms were given", "terms"),
    "k of nothing": ({"terms": (SEIZURE,), "k": 0}, "k is 0", "k"),
    "k below nothing": ({"gene": "NF1", "k": -3}, "k is -3", "k"),
    "k of everything": ({"terms": (SEIZURE,), "k": K_MAX + 1}, f"k is {K_MAX + 1}", "k"),
    "long text": ({"text": "a" * (TEXT_MAX + 1)}, f"{TEXT_MAX + 1} characters", "text"),
    "text and terms": ({"text": "heart", "terms": (SEIZURE,)}, "a text and terms", "query"),
    "text and absent": ({"text": "heart", "excluded": (SEIZURE,)}, "a text and terms", "query"),
    "text and a case": ({"text": "heart", "like": "tonic"}, "a text and terms", "query"),
    "case and terms": ({"like": "tonic", "terms": (SEIZURE,)}, "a case and terms", "query"),
    "case without signs": ({"like": "silent"}, "no sign of the case is known", "north"),
    "case and bad k": ({"like": "tonic", "k": 0}, "k is 0", "k"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_asked_is_refused_clearly(platform: Platform, name: str) -> None:
    """A4: what is wrong, where, what to do; terms are counted and not repeated."""
    query, said, place = BAD[name]
    with pytest.raises(InputError) as caught:
        asked(platform, **query)
    error = caught.value
    assert said in error.what
    assert (error.where, bool(error.remedy)) == (place, True)
    given = (*query.get("terms", ()), *query.get("excluded", ()))
    assert not any(term in f"{error.what} {error.where}" for term in given)


def test_as_many_terms_as_are_allowed(platform: Platform) -> None:
    """A4: the limit itself is let through; repeated terms are one term."""
    many = (SEIZURE,) * TERMS_MAX
    assert asked(platform, terms=many).hits == asked(platform, terms=(SEIZURE,)).hits


QUOTES = ("'", "''", "' OR 1=1 --", '"; DROP TABLE cases', "\\'", "%", "OMIM:2' OR ''='", "\x00")


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The five cases in the index of the product."""
    folder = tmp_path_factory.mktemp("on-disk")
    opened = open_at(folder)
    opened = replace(opened, index=LanceIndex(str(folder / "index")))
    take_in(opened, *PACKETS)
    return opened


@pytest.mark.parametrize("text", QUOTES)
def test_quotes_are_only_quotes(on_disk: Platform, text: str) -> None:
    """A4: what looks like a query of the store is a text like any other: it finds nothing."""
    for name in ("disease_id", "gene", "category", "state", "sex", "origin"):
        assert ids(on_disk, **{name: text}) == []
        assert ids(on_disk, terms=(SEIZURE,), **{name: text}) == []
    words = re.sub(r"\W+", " ", text)
    assert ids(on_disk, text=text) == (ids(on_disk, text=words) if words.strip() else [])
    with pytest.raises(NotFound):
        asked(on_disk, like=text)


def test_the_store_and_the_reference_answer_alike(on_disk: Platform, platform: Platform) -> None:
    """A4: terms, filters and cases find the same in LanceDB as by comparing with every row."""
    for query in (
        {"terms": (SEIZURE,), "excluded": (HEART,)},
        {"terms": (BOTH, NERVES), "sex": "MALE"},
        {"like": "heart", "k": 2},
        {"disease_id": "OMIM:2"},
    ):
        assert asked(on_disk, **query) == asked(platform, **query)


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_an_empty_platform_finds_nothing(tmp_path: Path, store: str) -> None:
    """A4: no case, no hit, no error; it is none of no diseases."""
    empty = open_at(tmp_path)
    if store == "disk":
        empty = replace(empty, index=LanceIndex(str(tmp_path / "index")))
    assert asked(empty, terms=(SEIZURE,), excluded=(HEART,)) == SearchAnswer(
        hits=[], diseases=[], none_of_these=1.0
    )
    assert asked(empty, gene="NF1") == SearchAnswer(hits=[]) == asked(empty, text="heart")


def test_a_filter_chooses_hits_and_leaves_the_diseases(platform: Platform) -> None:
    """A4: probabilities are over all cases, whatever hits are asked for, and each has its name."""
    plain = asked(platform, terms=(SEIZURE,))
    for where in ({"gene": "NOPE"}, {"sex": "FEMALE"}, {"disease_id": plain.hits[-1].disease_id}):
        narrowed = asked(platform, terms=(SEIZURE,), **where)
        assert narrowed.diseases == plain.diseases
        assert narrowed.none_of_these == plain.none_of_these
    assert asked(platform, terms=(SEIZURE,), gene="NOPE").hits == []
    assert all(disease.disease_label for disease in plain.diseases)


def test_an_empty_range_is_refused() -> None:
    """A4: a range whose ends are the wrong way round would silently find nothing."""
    with pytest.raises(ValidationError, match="is empty"):
        CaseFilter(age_min=18, age_max=0)
