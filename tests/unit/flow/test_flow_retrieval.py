"""Retrieval on files: one answer a query, in order, by the search of the product (S400)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import TERM_IDS, a_phenopacket

from cluster.errors import InputError, SourceUnreadable
from cluster.flow.platform import Platform
from cluster.flow.ranking_fit import fit_ranking
from cluster.flow.retrieval import files_platform, read_queries, retrieve, unmatched
from cluster.flow.search import search
from cluster.retrieval.query import CaseQuery
from cluster.settings import Settings
from cluster.storage.sources import RECORD_BYTES_MAX
from jobs import retrieve as job

KEYS = ["query_id", "ranked_cases", "ranked_diseases", "none_of_these", "ms"]
SEEN = (*TERM_IDS, "HP:0001263", "HP:0000252", "HP:0001290", "HP:0000486")
Json = dict[str, Any]


def cases(n_cases: int) -> list[Json]:
    """Make cases of five diseases with signs of their own, of publications of three cases."""
    return [
        a_phenopacket(
            f"c{n:03d}",
            observed=tuple({SEEN[n % 5], SEEN[(n % 5 + n // 15) % 10], SEEN[(3 * n) % 10]}),
            excluded=(SEEN[5 + n % 5],) if n % 2 and (3 * n) % 10 != 5 + n % 5 else (),
            disease=f"OMIM:{n % 5}" if n % 13 else f"OMIM:9{n}",
            publication=f"PMID:{n // 3}",
        )
        for n in range(n_cases)
    ]


def written(folder: Path, lines: Sequence[object], name: str = "cases") -> Path:
    path = folder / f"{name}.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n")
    return path


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform of sixty cases in files."""
    path = written(tmp_path_factory.mktemp("held"), cases(60))
    with files_platform([path], Settings()) as (platform, report):
        assert report.added == 60
        yield platform


def answers(
    platform: Platform,
    path: Path,
    k: int = 200,
    left_out: Mapping[str, Sequence[str]] | None = None,
) -> list[Json]:
    return [retrieve(platform, record, k, left_out or {}) for record in read_queries(path)]


def names(answer: Json) -> list[str]:
    return [found["case_id"] for found in answer["ranked_cases"]]


def results(answer: Json) -> Json:
    """Return an answer without the time that it took."""
    return {name: value for name, value in answer.items() if name != "ms"}


QUERY = a_phenopacket("q1", observed=SEEN[:2], excluded=SEEN[7:8])


def test_an_answer_has_the_agreed_shape(held: Platform, tmp_path: Path) -> None:
    """A4: exactly the agreed names; cases and diseases with scores, best first."""
    (answer,) = answers(held, written(tmp_path, [QUERY]))
    assert sorted(answer) == sorted(KEYS)
    assert answer["query_id"] == "q1" and answer["ms"] > 0
    assert {tuple(found) for found in answer["ranked_cases"]} == {("case_id", "score")}
    assert {tuple(found) for found in answer["ranked_diseases"]} == {("disease_id", "score")}
    assert len(answer["ranked_cases"]) == 60
    for ranked in (answer["ranked_cases"], answer["ranked_diseases"]):
        scores = [found["score"] for found in ranked]
        assert scores == sorted(scores, reverse=True)
    chances = [found["score"] for found in answer["ranked_diseases"]]
    assert sum(chances) + answer["none_of_these"] == pytest.approx(1, abs=1e-4)
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize("k", [1, 3, 200])
def test_k_is_respected(held: Platform, tmp_path: Path, k: int) -> None:
    """A4: at most so many cases and diseases, the head of the whole answer."""
    path = written(tmp_path, [QUERY])
    (whole,), (cut,) = answers(held, path), answers(held, path, k)
    for part in ("ranked_cases", "ranked_diseases"):
        assert cut[part] == whole[part][:k]


def test_a_query_that_cannot_be_asked_does_not_stop_the_others(
    held: Platform, tmp_path: Path
) -> None:
    """A4 B1: one answer a line in order; a problem says where and what, and has no result."""
    lines = [
        QUERY,
        "not json",
        a_phenopacket("no-sign", observed=()),
        a_phenopacket("absent", observed=(), excluded=SEEN[:1]),
        a_phenopacket("unknown", observed=("HP:7777777",)),
        '{"id": "' + "x" * RECORD_BYTES_MAX + '"}',
        QUERY | {"id": "q2"},
    ]
    found = answers(held, written(tmp_path, lines))
    ids = ["q1", "", "no-sign", "absent", "unknown", "", "q2"]
    assert [answer["query_id"] for answer in found] == ids
    assert ["problem" in answer for answer in found] == [False, *[True] * 5, False]
    for line, answer in enumerate(found[1:6], start=2):
        assert answer["problem"].startswith(f"cases.jsonl:{line}: ")
        assert (names(answer), answer["ranked_diseases"]) == ([], [])
        assert sorted(answer) == sorted([*KEYS, "problem"]) and answer["none_of_these"] is None
    assert "HP:7777777" not in found[4]["problem"]
    assert results(found[6]) | {"query_id": "q1"} == results(found[0])


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A4 B1: no answers are made up for a file that is not there or has nothing in it."""
    with pytest.raises(SourceUnreadable, match="file_unreadable"):
        list(read_queries(tmp_path / "nowhere.jsonl"))
    with pytest.raises(SourceUnreadable, match="file_empty"):
        list(read_queries(written(tmp_path, [])))


def test_only_the_terms_of_a_query_are_used(held: Platform, tmp_path: Path) -> None:
    """A4: the diagnosis that a query happens to carry, its genes and titles, tell nothing."""
    told = a_phenopacket("q1", SEEN[:2], SEEN[7:8], disease="OMIM:4", publication="PMID:1")
    untold = a_phenopacket("q1", SEEN[:2], SEEN[7:8], disease=None)
    one, two = answers(held, written(tmp_path, [told, untold]))
    assert results(one) == results(two)


def test_left_out_publications_are_as_if_never_published(held: Platform, tmp_path: Path) -> None:
    """A4: the ranking is that of an index without them; other queries are not touched."""
    out = [f"PMID:{n}" for n in (0, 1, 4, 7, 404)]
    kept = [p for p in cases(60) if p["metaData"]["externalReferences"][0]["id"] not in out]
    path = written(tmp_path, [QUERY, QUERY | {"id": "q2"}], "queries")
    less, whole = answers(held, path, left_out={"q1": out})
    with files_platform([written(tmp_path, kept)], Settings()) as (platform, report):
        assert report.added == 48
        expected, _ = answers(platform, path)
    assert results(less) == results(expected)
    assert len(names(whole)) == 60


def test_all_left_out_is_an_empty_answer(held: Platform, tmp_path: Path) -> None:
    """A4: where nothing counts, it is none of these."""
    left_out = {"q1": [f"PMID:{n}" for n in range(20)]}
    (answer,) = answers(held, written(tmp_path, [QUERY]), left_out=left_out)
    assert (names(answer), answer["ranked_diseases"], answer["none_of_these"]) == ([], [], 1.0)
    assert "problem" not in answer


def test_it_is_the_search_of_the_product(held: Platform, tmp_path: Path) -> None:
    """A4: the same cases and diseases in the same order, with the same scores."""
    packets = [p | {"id": f"q-{p['id']}"} for p in cases(60)[::7]]
    for packet, answer in zip(packets, answers(held, written(tmp_path, packets)), strict=True):
        signs: tuple[list[str], list[str]] = ([], [])
        for feature in packet["phenotypicFeatures"]:
            signs[feature.get("excluded", False)].append(feature["type"]["id"])
        query = CaseQuery(terms=tuple(signs[0]), excluded=tuple(signs[1]), k=200)
        found = search(held, query)
        assert names(answer) == [hit.case_id for hit in found.hits]
        assert [c["score"] for c in answer["ranked_cases"]] == [hit.score for hit in found.hits]
        assert [d["disease_id"] for d in answer["ranked_diseases"]] == [
            disease.disease_id for disease in found.diseases
        ]
        assert answer["none_of_these"] == found.none_of_these


def test_the_job_writes_one_line_a_query(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A4: answers as a file; problems are told; what was left out comes from a file."""
    index = written(tmp_path, cases(12))
    queries = written(tmp_path, [QUERY, "not json", QUERY | {"id": "q2"}], "queries")
    left_out = tmp_path / "left_out.json"
    left_out.write_text('{"q2": ["PMID:0"]}')
    out = tmp_path / "answers.jsonl"
    job.main([index], queries, out, k=5, leave_out=left_out)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["query_id"] for line in lines] == ["q1", "", "q2"]
    assert [len(line["ranked_cases"]) for line in lines] == [5, 0, 5]
    told = capsys.readouterr()
    assert "queries.jsonl:2: case_invalid" in told.err
    assert "3 answers, 1 of them without a result, from 12 cases" in told.out
    assert {"c000", "c001", "c002"}.isdisjoint(names(lines[2]))


@pytest.mark.parametrize("text", ["", "[]", '{"q1": "PMID:1"}', "{"])
def test_a_broken_list_of_what_is_left_out_is_an_error(tmp_path: Path, text: str) -> None:
    """A4: it is refused before anything is asked; an answer that leaks is worse than none."""
    path = tmp_path / "left_out.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        job.read_left_out(path)
    assert caught.value.where == "--leave-out"
    with pytest.raises(InputError):
        job.read_left_out(tmp_path / "nowhere.json")


@pytest.mark.parametrize("k", [0, -1, job.K_MAX + 1])
def test_a_k_out_of_range_is_an_error(tmp_path: Path, k: int) -> None:
    """A4: nothing is read before the options are right."""
    with pytest.raises(InputError, match=f"k is {k}"):
        job.main([tmp_path], tmp_path, tmp_path / "out", k=k)


def fitted(platform: Platform, seed: int = 1, n_cases: int = 190) -> bytes:
    told: list[tuple[str, int, int]] = []
    model = fit_ranking(
        platform, n_cases=n_cases, seed=seed, source="here", tell=lambda *one: told.append(one)
    )
    n_asked = min(n_cases, len(platform.searcher.base.profiles))
    assert [one for one in told if one[1] == n_asked] == [
        ("examined", n_asked, n_asked),
        ("observed", n_asked, n_asked),
    ]
    assert (model.learned_from, model.n_cases) == ("here", n_asked)
    assert model.ontology == platform.ontology.version
    return model.model_dump_json().encode()


def test_weights_of_a_collection(tmp_path: Path) -> None:
    """A4: the same seed gives the same bytes, another one other cases; all weights are allowed."""
    with files_platform([written(tmp_path, cases(200))], Settings()) as (platform, _):
        first = fitted(platform)
        assert fitted(platform) == first
        assert fitted(platform, seed=2) != first


@pytest.mark.parametrize(
    ("packets", "said"),
    [
        (cases(30), "fewer than 50 cases have a disease with another publication"),
        ([p | {"interpretations": []} for p in cases(4)], "fewer than 50 cases"),
        (
            [p for n, p in enumerate(cases(90)) if n % 13],
            "fewer than 10 cases have a disease without another publication",
        ),
    ],
)
def test_too_few_cases_to_learn_from_is_an_error(
    tmp_path: Path, packets: list[Json], said: str
) -> None:
    """A4: what is missing and what to give, instead of weights that mean nothing."""
    with files_platform([written(tmp_path, packets)], Settings()) as (platform, _):
        with pytest.raises(InputError, match=said) as caught:
            fitted(platform)
        assert caught.value.where == "here" and caught.value.remedy


def test_an_unusable_query_keeps_its_id(held: Platform, tmp_path: Path) -> None:
    """A4: what cannot be asked is answered under its own name, so that it can be told apart."""
    empty = {"id": "nothing-known", "phenotypicFeatures": []}
    (answer,) = answers(held, written(tmp_path, [empty], "queries"))
    assert (answer["query_id"], answer["ranked_diseases"]) == ("nothing-known", [])
    assert "problem" in answer


def test_what_is_left_out_and_not_there_is_said(held: Platform, tmp_path: Path) -> None:
    """A4: a list of publications that matches nothing does not pass for one that did."""
    path = written(tmp_path, [a_phenopacket("q1")], "queries")
    left_out = {"q1": ["PMID:1", "PMID:404"], "q2": ["PMID:1"]}
    remarks = unmatched(held, answers(held, path), left_out)
    assert [("q2" in remark, "PMID:404" in remark) for remark in remarks] == [
        (True, False),
        (False, True),
    ]
    assert unmatched(held, answers(held, path), {"q1": ["PMID:1"]}) == []


def test_numbers_alone_are_ids_of_pubmed(tmp_path: Path) -> None:
    """A4: publications may be named with or without the prefix."""
    path = tmp_path / "left_out.json"
    path.write_text('{"q1": ["7", "PMID:8", "DOI:9"]}')
    assert job.read_left_out(path) == {"q1": ["PMID:7", "PMID:8", "DOI:9"]}


def test_where_answers_go_is_checked_first(tmp_path: Path) -> None:
    """A4: a folder in place of the file is refused before any case is read."""
    with pytest.raises(InputError, match="is a folder"):
        job.main([tmp_path / "absent"], tmp_path / "absent.jsonl", tmp_path)


def test_more_hits_are_only_more_hits(held: Platform, tmp_path: Path) -> None:
    """A4: scores and probabilities do not depend on how many are asked for."""
    path = written(tmp_path, [a_phenopacket("q1")], "queries")
    (few,), (many,) = (answers(held, path, k=k) for k in (3, 5_000))
    assert many["ranked_cases"][:3] == few["ranked_cases"]
    assert many["ranked_diseases"][:3] == few["ranked_diseases"]
