"""Finding a case by what it shows, is, says or is like (S400)."""

from pathlib import Path

import pytest
from builders import a_phenopacket

from cluster.errors import InputError, NotFound
from cluster.flow.platform import Platform
from cluster.flow.search import CaseQuery, search
from tests.unit.flow.world import open_at, take_in


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """Four cases: two of seizures, one of the heart, one without a sign."""
    opened = open_at(tmp_path)
    take_in(
        opened,
        a_phenopacket("seizure", observed=("HP:0001250",), disease="OMIM:1"),
        a_phenopacket("tonic", observed=("HP:0002069",), disease="OMIM:2"),
        a_phenopacket(
            "heart",
            observed=("HP:0001627",),
            disease="OMIM:2",
            publication="PMID:7",
            excluded=("HP:0001250",),
        ),
        a_phenopacket("silent", observed=(), disease="OMIM:3"),
    )
    return opened


def ids(platform: Platform, **query: object) -> list[str]:
    return [hit.case_id for hit in search(platform, CaseQuery.model_validate(query))]


def test_by_terms_best_first_and_explained(platform: Platform) -> None:
    """A4: the same sign scores 1, a kindred one less; each hit names the terms it was found by."""
    first, second, *rest = search(platform, CaseQuery(terms=("HP:0001250",)))
    assert (first.case_id, first.score) == ("seizure", 1.0)
    # shared 1 + 2 of 1 + 2 + 3 nats
    assert (second.case_id, second.score) == ("tonic", 0.5)
    assert all(hit.score == 0 for hit in rest)
    assert first.why == ("Seizure ~ Seizure through Seizure (2.0 nats)",)
    assert second.why == ("Seizure ~ Tonic-clonic seizure through Seizure (2.0 nats)",)


def test_an_excluded_sign_is_not_a_seen_one(platform: Platform) -> None:
    """A4 B1: a sign that was found absent does not make a case a hit for it."""
    scores = {hit.case_id: hit.score for hit in search(platform, CaseQuery(terms=("HP:0001250",)))}
    assert scores["heart"] == 0


def test_by_disease(platform: Platform) -> None:
    """A4: only cases of the disease, with or without terms; the reason says so."""
    assert sorted(ids(platform, disease_id="OMIM:2")) == ["heart", "tonic"]
    assert ids(platform, disease_id="OMIM:2", terms=("HP:0001627",)) == ["heart", "tonic"]
    assert ids(platform, disease_id="OMIM:404") == []
    (hit,) = search(platform, CaseQuery(disease_id="OMIM:3"))
    assert (hit.why, hit.score) == (("diagnosis OMIM:3",), 0.0)


def test_by_text(platform: Platform) -> None:
    """A4: words of labels and titles find a case; white space alone is nothing to look for."""
    hits = search(platform, CaseQuery(text="about pmid"))
    assert [hit.case_id for hit in hits] == ["heart"]
    assert hits[0].why == ("words of the text",)
    with pytest.raises(InputError, match="nothing to look for"):
        search(platform, CaseQuery(text="  \n "))


def test_by_another_case(platform: Platform) -> None:
    """A4: a case finds its likes, and not itself, however few are asked for."""
    assert ids(platform, like="seizure", k=1) == ["tonic"]
    assert "seizure" not in ids(platform, like="seizure", k=10)
    with pytest.raises(NotFound, match="nobody"):
        search(platform, CaseQuery(like="nobody"))


def test_k_is_the_most_that_comes_back(platform: Platform) -> None:
    """A4: never more hits than asked for."""
    assert [len(ids(platform, terms=("HP:0000707",), k=k)) for k in (1, 2, 4, 9)] == [1, 2, 4, 4]


def test_nothing_known_to_look_for_is_an_error(platform: Platform) -> None:
    """A4: an empty query and one of unknown terms only are refused; one known term is enough."""
    with pytest.raises(InputError, match="nothing to look for"):
        search(platform, CaseQuery())
    with pytest.raises(InputError, match="none of the terms"):
        search(platform, CaseQuery(terms=("HP:7777777", "seizure")))
    assert ids(platform, terms=("HP:7777777", "HP:0001627"), k=1) == ["heart"]


def test_an_empty_platform_finds_nothing(tmp_path: Path) -> None:
    """A4: no case, no hit, no error."""
    assert ids(open_at(tmp_path), terms=("HP:0001250",)) == []
