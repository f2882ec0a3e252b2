"""The study of retrieval: what is asked, what is learned from, and what must not leak."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import TERM_IDS, MemoryIndex, a_feature, a_phenopacket, feature_table

from cluster.errors import InputError
from cluster.flow.platform import Platform
from cluster.flow.retrieval import files_platform
from cluster.flow.retrieval_study import (
    FOLDS,
    Methods,
    ask,
    queries_of,
    study_retrieval,
    weights_by_fold,
)
from cluster.ontology import Ontology, term_number
from cluster.retrieval import baselines
from cluster.retrieval.diagnosis import RankingModel
from cluster.retrieval.evaluation import (
    PRODUCT,
    PRODUCT_OBSERVED,
    WITH_PUBLICATION,
    WITHOUT_PUBLICATION,
    Study,
)
from cluster.retrieval.feature import vectors
from cluster.retrieval.fit_ranking import Question, questions
from cluster.retrieval.search import CaseSearch
from cluster.settings import load_settings
from cluster.storage.ranking import load_ranking
from jobs.evaluate import main

Json = dict[str, Any]

DISEASES, PUBLICATIONS, CASES = 12, 2, 5
"""Each disease with cases in each of its publications."""
ALONE = 4
"""Diseases with one publication."""
TERMS = [f"HP:{n:07d}" for n in (256, 316, 347, 365, 486, 494, 518, 729, 925, 1156, 1166, 1181)]
TERMS += [f"HP:{n:07d}" for n in (1250, 1252, 1263, 1290, 1310, 1629, 1631, 1644, 2069, 2650)]


def published_cases() -> list[Json]:
    """Draw cases: three terms in four of a disease's own, one of any, two of any excluded."""
    generator = np.random.default_rng(8)
    made = []
    for disease in range(DISEASES + ALONE):
        own = generator.choice(TERMS, 4, replace=False).tolist()
        for publication in range(PUBLICATIONS if disease < DISEASES else 1):
            for case in range(CASES):
                seen = {*generator.choice(own, 3, replace=False).tolist(), generator.choice(TERMS)}
                absent = {*generator.choice(TERMS, 2).tolist()} - seen
                packet = a_phenopacket(
                    f"{disease}-{publication}-{case}",
                    observed=sorted(map(str, seen)),
                    excluded=sorted(map(str, absent)),
                    disease=f"OMIM:{disease}",
                    publication=f"PMID:{disease}{publication}",
                )
                made.append(packet)
    return made


def written(path: Path, packets: Sequence[Json]) -> Path:
    path.write_text("".join(f"{json.dumps(packet)}\n" for packet in packets))
    return path


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    path = written(tmp_path_factory.mktemp("cases") / "cases.jsonl", published_cases())
    with files_platform([path], load_settings()) as (opened, _):
        yield opened


def study_of(platform: Platform, n_queries: int | None = None) -> Study:
    return study_retrieval(
        platform, n_queries=n_queries, seed=1, source="drawn", tell=lambda *_: None
    )


@pytest.fixture(scope="module")
def study(platform: Platform) -> Study:
    return study_of(platform)


def test_both_regimes_ask_the_same_queries(study: Study) -> None:
    """A12: a disease of one publication has an answer only where that publication counts."""
    n_all = CASES * (DISEASES * PUBLICATIONS + ALONE)
    counted = {name: (one.n_queries, one.n_answerable) for name, one in study.regimes.items()}
    assert counted == {
        WITH_PUBLICATION: (n_all, n_all),
        WITHOUT_PUBLICATION: (n_all, CASES * DISEASES * PUBLICATIONS),
    }
    left_out = study.regimes[WITHOUT_PUBLICATION]
    assert [one.n for one in left_out.strata[:4]] == [0, 0, left_out.n_answerable, 0]
    for regime in study.regimes.values():
        for kind in ("usable cases", "observed terms"):
            assert sum(one.n for one in regime.strata if one.name == kind) == regime.n_answerable


def test_every_method_is_measured_on_them(study: Study) -> None:
    """A12: the product, with and without excluded terms, and each simple method, beside chance."""
    methods = {PRODUCT, PRODUCT_OBSERVED, baselines.FUSION, baselines.NAIVE_BAYES}
    methods |= {baselines.SIMGIC_VOTE, baselines.SIMGIC, baselines.IC_COSINE, baselines.RESNIK}
    for regime in study.regimes.values():
        assert set(regime.readings) == {*methods, baselines.JACCARD}
        for name, one in regime.readings.items():
            assert one.diseases["top_1"].value > 3 / DISEASES, name
            assert one.ms_p99 >= one.ms_p50 > 0
    of_cases = {name for name, one in study.regimes[WITH_PUBLICATION].readings.items() if one.cases}
    assert of_cases == {PRODUCT, PRODUCT_OBSERVED, *baselines.CASE_METHODS}


def test_a_drawn_part_has_the_ranks_of_the_whole(platform: Platform, study: Study) -> None:
    """A12: simple methods answer a query alike, whichever others are asked."""
    part = study_of(platform, 20)
    assert len(part.case_ids) == 20
    for regime, ranks in part.disease_ranks.items():
        for method in (baselines.FUSION, baselines.IC_COSINE):
            whole = dict(zip(study.case_ids, study.disease_ranks[regime][method], strict=True))
            assert [whole[name] for name in part.case_ids] == ranks[method]


def test_the_job_writes_figures_and_a_page(tmp_path: Path, capsys: Any) -> None:
    """A12: evaluation.json is read back whole; the page and the terminal name both regimes."""
    cases = written(tmp_path / "cases.jsonl", published_cases())
    main("retrieval", tmp_path / "out", [cases], queries=10)
    kept = Study.model_validate_json((tmp_path / "out" / "evaluation.json").read_bytes())
    assert len(kept.case_ids) == 10
    assert kept.cases == "cases.jsonl"
    page = (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")
    shown = capsys.readouterr().out
    for regime in (WITH_PUBLICATION, WITHOUT_PUBLICATION):
        assert regime in shown
        assert regime.capitalize() in page


def test_too_few_publications_are_an_error(tmp_path: Path) -> None:
    """A12: weights are not learned from a handful of cases; it says what is missing."""
    few = written(tmp_path / "few.jsonl", published_cases()[:12])
    with (
        files_platform([few], load_settings()) as (small, _),
        pytest.raises(InputError, match="have a disease with another publication"),
    ):
        study_of(small)


def asked_questions(platform: Platform) -> list[Question]:
    cases = range(len(platform.searcher.base.profiles))
    return questions(platform.searcher, cases, with_excluded=True, tell=lambda _: None)


def test_weights_do_not_see_the_fold_that_they_are_used_on(platform: Platform) -> None:
    """A12: other answers in a fold change the weights of every fold but its own."""
    asked = asked_questions(platform)
    fold = np.arange(len(asked)) % FOLDS
    others = [
        replace(one, disease="OMIM:0") if place % FOLDS == 0 else one
        for place, one in enumerate(asked)
    ]
    before, after = weights_by_fold(asked, fold), weights_by_fold(others, fold)
    assert [one == two for one, two in zip(before, after, strict=True)] == [True] + [False] * 3


def a_search(rows: Sequence[tuple[str, str, list[str], list[str]]], ontology: Ontology) -> Methods:
    """Make a search over cases of (disease, publication, observed, excluded)."""
    index = MemoryIndex()
    for place, (disease, publication, observed, excluded) in enumerate(rows):
        (vector,) = vectors([ontology.resolve(observed).rows], ontology)
        row = a_feature(
            f"case-{place}",
            disease_id=disease,
            publication_id=publication,
            terms=[term_number(term) for term in observed],
            excluded=[term_number(term) for term in excluded],
            vector=vector.tolist(),
        )
        index.upsert(feature_table(row))
    return Methods.of(CaseSearch(index, ontology), ontology)


NERVES, SEIZURE, HEART, HEART_SHAPE, TONIC, BOTH = TERM_IDS
ROWS = [
    ("OMIM:1", "PMID:1", [SEIZURE, HEART], [BOTH]),
    ("OMIM:1", "PMID:1", [TONIC], [HEART_SHAPE]),
    ("OMIM:2", "PMID:1", [BOTH], [NERVES]),
    ("OMIM:1", "PMID:2", [SEIZURE], [BOTH]),
    ("OMIM:2", "PMID:3", [HEART], [TONIC]),
    ("OMIM:3", "PMID:4", [HEART_SHAPE, NERVES], [SEIZURE]),
    ("OMIM:4", "PMID:5", [TONIC, HEART], []),
]


@pytest.fixture(scope="module")
def model() -> RankingModel:
    return load_ranking("")


@pytest.mark.parametrize("disease", ["OMIM:1", "OMIM:3", "OMIM:9", ""])
@pytest.mark.parametrize("observed", [[SEIZURE, HEART], [BOTH], []])
def test_a_publication_that_is_left_out_reaches_no_answer(
    disease: str, observed: list[str], model: RankingModel, small_ontology: Ontology
) -> None:
    """A12: terms and diagnoses of the query's publication change nothing of any method's answer."""
    changed = [
        (disease, "PMID:1", observed, observed) if i in (1, 2) else row
        for i, row in enumerate(ROWS)
    ]
    answers = []
    for rows in (ROWS, changed):
        methods = a_search(rows, small_ontology)
        out = {WITHOUT_PUBLICATION: methods.base.same_publication(0)}
        answers.append(ask(methods, 0, out, model)[WITHOUT_PUBLICATION])
    for name, one in answers[0].items():
        assert np.isfinite(one.disease_rank), name
        assert one[:-1] == pytest.approx(answers[1][name][:-1], nan_ok=True), name


def test_a_case_does_not_find_itself(model: RankingModel, small_ontology: Ontology) -> None:
    """A12: the only case of a disease finds no case of it, even where its publication counts."""
    methods = a_search(ROWS, small_ontology)
    answers = ask(methods, 6, {WITH_PUBLICATION: np.array([6])}, model)[WITH_PUBLICATION]
    assert {one.disease_rank for one in answers.values()} == {np.inf}


def test_observed_terms_only_is_the_product_without_excluded_ones(
    model: RankingModel, small_ontology: Ontology
) -> None:
    """A12: the second row of the product does not change with what the patient lacks."""
    rows = [*ROWS]
    found = []
    for excluded in ([BOTH], [HEART_SHAPE, TONIC]):
        rows[0] = ("OMIM:1", "PMID:1", [SEIZURE, HEART], excluded)
        methods = a_search(rows, small_ontology)
        out = {WITHOUT_PUBLICATION: methods.base.same_publication(0)}
        found.append(ask(methods, 0, out, model)[WITHOUT_PUBLICATION])
    assert found[0][PRODUCT_OBSERVED].stated == found[1][PRODUCT_OBSERVED].stated
    assert found[0][PRODUCT].stated != found[1][PRODUCT].stated


def test_usable_cases_are_counted_beside_undiagnosed_ones(small_ontology: Ontology) -> None:
    """A4: a case without a diagnosis is not taken for one of the last disease before it."""
    rows = [
        ("OMIM:1", "PMID:1", [SEIZURE], []),
        ("OMIM:9", "PMID:1", [SEIZURE], []),
        ("", "PMID:2", [SEIZURE], []),
        ("OMIM:1", "PMID:2", [SEIZURE], []),
        ("OMIM:9", "PMID:2", [SEIZURE], []),
    ]
    base = a_search(rows, small_ontology).base
    asked = np.array([0, 1, 3, 4])
    queries = queries_of(base, asked, base.profiles.publication, WITHOUT_PUBLICATION)
    assert queries.n_usable.tolist() == [1, 1, 1, 1]
