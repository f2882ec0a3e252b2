"""Which publications belong beside a case, in which order, and why."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cluster.contracts.related import LiteratureAnswer, LiteratureQuery, Publication
from cluster.retrieval.literature import FILE, Corpus, ask, relation, words_of

NOONAN = LiteratureQuery(
    case_id="c", disease_id="OMIM:163950", disease_name="Noonan syndrome 1", genes=("PTPN11",)
)


def paper(number: int, title: str = "A report", **more: tuple[str, ...]) -> Publication:
    """Return a publication."""
    return Publication(pmid=f"PMID:{number}", title=title, **more)


def ids(*papers: Publication, query: LiteratureQuery = NOONAN, limit: int = 10) -> list[str]:
    """Return what is found, best first."""
    return [item.item_id for item in Corpus(papers).ranked(query, limit, FILE)]


def test_disease_before_gene_before_words() -> None:
    """A12: each group behind the other, whatever the titles say; the unrelated is left out."""
    found = Corpus(
        [
            paper(9, "Noonan everywhere"),
            paper(5, "Of Noonan", genes=("PTPN11",)),
            paper(1, diseases=("OMIM:163950",)),
            paper(8, "Something else", diseases=("OMIM:1",), genes=("NF1",)),
        ]
    ).ranked(NOONAN, 10, FILE)
    assert [(item.item_id, item.score) for item in found] == [
        ("PMID:1", 2.0),
        ("PMID:5", 1.999),
        ("PMID:9", 0.999),
    ]
    assert [item.why for item in found] == [
        "same disease OMIM:163950 (Noonan syndrome 1)",
        "same gene PTPN11",
        "title has noonan",
    ]
    assert {(item.kind, item.source, item.platform) for item in found} == {("literature", FILE, "")}


def test_within_a_group_the_nearer_title_then_the_newer() -> None:
    """A12: shared words of the name decide, then the PMID as a number."""
    same = ("OMIM:1",)
    query = LiteratureQuery(
        case_id="c", disease_id="OMIM:1", disease_name="Epileptic encephalopathy", genes=()
    )
    papers = [
        paper(7, "Encephalopathy", diseases=same),
        paper(10, diseases=same),
        paper(9, diseases=same),
        paper(3, "An epileptic encephalopathy", diseases=same),
    ]
    assert ids(*papers, query=query) == ["PMID:3", "PMID:7", "PMID:10", "PMID:9"]
    assert ids(*papers, query=query, limit=2) == ["PMID:3", "PMID:7"]


def test_a_title_that_names_the_gene_is_of_the_gene() -> None:
    """A12: in capitals as a symbol is written, not as another symbol's part or a common word."""
    query = LiteratureQuery(case_id="c", disease_id="", genes=("WAS", "C9orf72"))
    papers = [
        paper(1, "Novel WAS-related disease"),
        paper(2, "It was new"),
        paper(3, "(WAS) in two"),
        paper(4, "WASP"),
        paper(5, "On C9orf72."),
    ]
    assert ids(*papers, query=query) == ["PMID:5", "PMID:3", "PMID:1"]


def test_common_words_relate_nothing() -> None:
    """A12: syndrome, type and numbers stand in every name; most of the rest must be shared."""
    assert words_of("Noonan syndrome-like disorder, type 2 (the ÉTUDE of Noonan)") == (
        "noonan",
        "like",
        "étude",
    )
    assert ids(paper(1, "A syndrome of type 1")) == []
    query = NOONAN.model_copy(update={"disease_name": "Alpha beta gamma delta", "genes": ()})
    assert ids(paper(1, "Alpha beta"), paper(2, "Gamma, beta, alpha"), query=query) == ["PMID:2"]


def test_a_case_without_codes_finds_nothing() -> None:
    """A12: an empty id equals no empty cell."""
    query = LiteratureQuery(case_id="c", disease_id="", genes=())
    assert ids(paper(1, diseases=("",), genes=("",)), query=query) == []
    assert relation(query, ("",), ("",)) == ""
    assert ids(query=query) == ids() == []


def test_one_pmid_is_one_publication() -> None:
    """A12: the first title stands; the diseases of both rows count."""
    corpus = Corpus([paper(1, "First"), paper(1, "Second", diseases=("OMIM:163950",))])
    (item,) = corpus.ranked(NOONAN, 10, FILE)
    assert (item.title, item.score) == ("First", 2.0)


@given(st.permutations(range(12)), st.integers(1, 12))
def test_order_of_the_source_and_other_publications_change_nothing(
    order: list[int], limit: int
) -> None:
    """A12: a shuffled list is the same list, and an item is the same whatever stands beside it."""
    papers = [
        paper(
            number,
            ("Noonan", "PTPN11 again", "Other")[number % 3],
            diseases=("OMIM:163950",) if number % 4 == 0 else (),
        )
        for number in range(1, 13)
    ]
    whole = Corpus(papers).ranked(NOONAN, 20, FILE)
    assert Corpus([papers[i] for i in order]).ranked(NOONAN, limit, FILE) == whole[:limit]
    for item in whole:
        alone = [one for one in papers if one.pmid == item.item_id]
        assert Corpus(alone).ranked(NOONAN, 1, FILE) == (item,)


def test_ranking_agrees_with_counting_by_hand() -> None:
    """A12: the vectorised likeness is the share of the name's words in each title."""
    vocabulary = ["alpha", "beta", "gamma", "delta"]
    rng = np.random.default_rng(5)
    titles = [" ".join(rng.choice(vocabulary, rng.integers(1, 6))) for _ in range(200)]
    query = NOONAN.model_copy(update={"disease_name": "alpha beta gamma", "genes": ()})
    found = Corpus(paper(n, t) for n, t in enumerate(titles, 1)).ranked(query, 300, FILE)
    by_hand = {
        f"PMID:{n}": len({"alpha", "beta", "gamma"} & set(t.split())) / 3
        for n, t in enumerate(titles, 1)
    }
    expected = {pmid: min(round(s, 6), 0.999) for pmid, s in by_hand.items() if s >= 0.6}
    assert {item.item_id: item.score for item in found} == expected


@dataclass
class Shelf:
    """A source that answers for some cases only."""

    answer: LiteratureAnswer
    name: str = FILE
    asked: list[LiteratureQuery] = field(default_factory=list)

    def find(self, queries: list[LiteratureQuery], limit: int) -> LiteratureAnswer:
        """Note what is asked."""
        self.asked = queries
        return self.answer


def test_a_source_is_asked_with_published_names() -> None:
    """A12 B9: the name comes from the id; and what was left open is said."""
    shelf = Shelf(LiteratureAnswer(found={"c": ()}, reason="HTTP 500"))
    bare = NOONAN.model_copy(update={"disease_name": ""})
    other = bare.model_copy(update={"case_id": "d", "disease_id": "OMIM:9"})
    found, state = ask(shelf, [bare, other], {"OMIM:163950": "Noonan syndrome 1"}, 5)
    assert [query.disease_name for query in shelf.asked] == ["Noonan syndrome 1", ""]
    assert found == {"c": ()}
    assert (state.state, state.reason) == ("unavailable", "HTTP 500")
    assert (state.asked, state.answered, state.found) == (2, 1, 0)
