"""What must hold of counts and rankings, whatever the cases are."""

import numpy as np
import pytest
from builders import MemoryIndex, feature_table
from hypothesis import given
from hypothesis import strategies as st

from cluster.retrieval.diagnosis import (
    CASE_FIGURES,
    DISEASE_FIGURES,
    NONE_FIGURES,
    Evidence,
    Ranking,
    RankingModel,
    Weights,
    disease_figures,
    rank,
)
from cluster.retrieval.evidence import Counts, merged
from cluster.retrieval.profiles import Presentation
from cluster.retrieval.ranking import opposing
from cluster.retrieval.search import CaseSearch
from cluster.storage.ranking import load_ranking
from tests.unit.retrieval.ranking_cases import (
    ONTOLOGY,
    Json,
    a_base,
    a_row,
    as_loops,
    case_rows,
    patients,
    recounted,
)

SHIPPED = load_ranking()
ALL_DISEASES = 1000
publications = st.sets(st.sampled_from(["PMID:1", "PMID:2", "PMID:3"]))


def a_search(rows: list[Json]) -> CaseSearch:
    index = MemoryIndex()
    index.upsert(feature_table(*rows))
    return CaseSearch(index, ONTOLOGY)


def ranked(patient: Presentation, *platforms: list[Json]) -> Ranking:
    found = [a_search(rows).look_up(patient)[1] for rows in platforms]
    return rank(patient, found, SHIPPED, ALL_DISEASES)


def probabilities(ranking: Ranking) -> dict[str, float]:
    return {hit.disease_id: hit.probability for hit in ranking.diseases}


def equal(one: Counts, two: Counts) -> bool:
    return as_loops(one) == as_loops(two)


@given(case_rows(), patients())
def test_counts_equal_a_recount(rows: list[Json], patient: Presentation) -> None:
    """A4: what the arrays count is what a loop over the cases counts."""
    assert as_loops(a_base(rows).count(patient)) == recounted(rows, patient)


@given(case_rows(), patients(), st.data())
def test_leaving_cases_out_is_never_having_had_them(
    rows: list[Json], patient: Presentation, data: st.DataObject
) -> None:
    """A4: a case that is left out changes no count, whatever its terms and its disease are."""
    names = [str(row["case_id"]) for row in rows]
    out = set(data.draw(st.lists(st.sampled_from(names), unique=True))) if names else set()
    base = a_base(rows)
    kept = [row for row in rows if row["case_id"] not in out]
    assert equal(base.count(patient, base.places_of(sorted(out))), a_base(kept).count(patient))


@given(case_rows(), patients(), publications)
def test_leaving_publications_out_is_never_having_had_them(
    rows: list[Json], patient: Presentation, out: set[str]
) -> None:
    """A4: the same for all cases of a publication, in the counts and in the whole ranking."""
    kept = [row for row in rows if row["publication_id"] not in out]
    whole, less = a_search(rows), a_search(kept)
    places = whole.base.cases_of(sorted(out))
    table, evidence = whole.look_up(patient, left_out=places)
    fewer, expected = less.look_up(patient)
    assert equal(evidence.counts, expected.counts)
    assert table["case_id"].to_pylist() == fewer["case_id"].to_pylist()
    ranking, other = (rank(patient, [one], SHIPPED, 99) for one in (evidence, expected))
    assert probabilities(ranking) == probabilities(other)
    assert ranking.case_scores[0].tolist() == other.case_scores[0].tolist()


@given(case_rows(), patients(), publications, st.lists(st.integers(0, 7), max_size=3))
def test_what_is_left_out_cannot_tell(
    rows: list[Json], patient: Presentation, out: set[str], terms: list[int]
) -> None:
    """A4: cases that are left out may say anything of themselves; the answer stays the same."""
    changed = [
        a_row(row["case_id"], "OMIM:2", [707, 1250], publication_id=row["publication_id"])
        | {"disease_label": "the answer"}
        if row["publication_id"] in out
        else row
        for row in rows
    ]
    counted = []
    for given_rows in (rows, changed):
        base = a_base(given_rows)
        counted.append(base.count(patient, base.cases_of(sorted(out))))
    assert equal(*counted)


@given(case_rows(), patients(), st.data())
def test_split_platforms_rank_as_one(
    rows: list[Json], patient: Presentation, data: st.DataObject
) -> None:
    """A4: cases divided over platforms give the diseases and scores of one that has them all."""
    home = data.draw(st.lists(st.integers(0, 1), min_size=len(rows), max_size=len(rows)))
    parts = [[r for r, h in zip(rows, home, strict=True) if h == n] for n in (0, 1)]
    assert equal(
        merged([a_base(part).count(patient) for part in parts]), a_base(rows).count(patient)
    )
    together, whole = ranked(patient, *parts), ranked(patient, rows)
    assert probabilities(together) == pytest.approx(probabilities(whole), abs=1e-9)
    assert together.none_of_these == pytest.approx(whole.none_of_these, abs=1e-9)
    scores = sorted(np.concatenate(together.case_scores))
    assert scores == pytest.approx(sorted(whole.case_scores[0]), abs=1e-9)


@given(case_rows(), patients())
def test_probabilities_sum_to_one(rows: list[Json], patient: Presentation) -> None:
    """A4: all diseases and none of them, together, are certain; each is from 0 to 1, best first."""
    ranking = ranked(patient, rows)
    chances = [hit.probability for hit in ranking.diseases]
    assert sum(chances) + ranking.none_of_these == pytest.approx(1.0)
    assert all(0 <= chance <= 1 for chance in (*chances, ranking.none_of_these))
    assert chances == sorted(chances, reverse=True)


@given(case_rows(), patients(), st.data())
def test_names_and_order_do_not_matter(
    rows: list[Json], patient: Presentation, data: st.DataObject
) -> None:
    """A4: cases under other names and in another order give the same diseases, ties by their id."""
    names = data.draw(st.permutations([str(row["case_id"]) for row in rows]))
    renamed = [row | {"case_id": name} for row, name in zip(rows, names, strict=True)]
    one, two = ranked(patient, rows), ranked(patient, data.draw(st.permutations(renamed)))
    assert probabilities(one) == probabilities(two)
    assert [hit.disease_id for hit in one.diseases] == [hit.disease_id for hit in two.diseases]
    tied = [(-hit.probability, hit.disease_id) for hit in one.diseases]
    assert tied == sorted(tied)


@given(case_rows(), patients())
def test_the_order_of_the_terms_does_not_matter(rows: list[Json], patient: Presentation) -> None:
    """A4: a patient's terms are a set."""
    turned = Presentation(patient.observed[::-1], patient.excluded[::-1])
    one, two = probabilities(ranked(patient, rows)), probabilities(ranked(turned, rows))
    assert one == pytest.approx(two, abs=1e-9)


positive = st.lists(st.floats(0, 5), min_size=4, max_size=4)


@given(case_rows(), patients(), positive, st.data())
def test_more_of_a_figure_never_lowers_a_disease(
    rows: list[Json], patient: Presentation, drawn: list[float], data: st.DataObject
) -> None:
    """A4: with weights that are allowed, and the shipped ones, no evidence for a disease harms."""
    _, evidence = a_search(rows).look_up(patient)
    figures = disease_figures(patient, evidence.counts, [evidence])
    if not len(figures):
        return
    disease, figure = data.draw(st.integers(0, len(figures) - 1)), data.draw(st.integers(0, 3))
    better = figures.copy()
    better[disease, figure] += data.draw(st.floats(0, 10))
    shipped = [list(w.disease.values()) for w in (SHIPPED.examined, SHIPPED.observed)]
    for weights in (drawn, *shipped):
        before, after = figures @ np.array(weights), better @ np.array(weights)
        assert np.sum(after > after[disease]) <= np.sum(before > before[disease])


@given(case_rows(), patients(), st.data())
def test_one_more_case_with_a_sign_never_lowers_its_likelihood(
    rows: list[Json], patient: Presentation, data: st.DataObject
) -> None:
    """A4: a case of a disease in which a sign was seen too speaks for the disease, not against."""
    counts = a_base(rows).count(patient)
    if not counts.diseases:
        return
    disease = data.draw(st.integers(0, len(counts.diseases) - 1))
    term = data.draw(st.integers(0, len(patient.observed) - 1))
    if counts.observed[term, disease] + counts.excluded[term, disease] >= counts.n_cases[disease]:
        return
    more = counts.observed.copy()
    more[term, disease] += 1
    changed = Counts(counts.diseases, counts.n_cases, more, counts.excluded)
    before, after = (disease_figures(patient, one, []) for one in (counts, changed))
    others = [n for n in range(len(before)) if n != disease]
    for figure in (DISEASE_FIGURES.index("observed"), DISEASE_FIGURES.index("examined")):
        assert after[disease, figure] >= before[disease, figure] - 1e-12
        assert np.all(after[others, figure] <= before[others, figure] + 1e-12)


@given(patients(), patients())
def test_contradictions_hold_both_ways(one: Presentation, two: Presentation) -> None:
    """A4: what is seen on one side is contradicted by what is absent at or above it on the other.

    The same by walking up the parents, for every pair of terms.
    """

    def above(row: int) -> set[int]:
        parents = ONTOLOGY.table["parents"][row].as_py()
        return {row}.union(*map(above, parents))

    seen = [row for row in one.observed if above(row) & set(two.excluded)]
    absent = [row for row in one.excluded if any(row in above(other) for other in two.observed)]
    assert sorted(opposing(one, two, ONTOLOGY)) == sorted(ONTOLOGY.ids_of([*seen, *absent]))
    assert bool(opposing(one, two, ONTOLOGY)) == bool(opposing(two, one, ONTOLOGY))


@given(case_rows(), patients(), positive, positive)
def test_any_allowed_weights_give_a_ranking(
    rows: list[Json], patient: Presentation, disease: list[float], case: list[float]
) -> None:
    """A4: weights of a site's own give finite scores and probabilities."""
    weights = Weights(
        disease=dict(zip(DISEASE_FIGURES, disease, strict=True)),
        known=dict.fromkeys(NONE_FIGURES, -1.0),
        case=dict(zip(CASE_FIGURES, case, strict=True)),
    )
    model = RankingModel(
        examined=weights, observed=weights, learned_from="", n_cases=0, ontology=""
    )
    found: list[Evidence] = [a_search(rows).look_up(patient)[1]]
    ranking = rank(patient, found, model, 3)
    assert np.isfinite(ranking.case_scores[0]).all()
    assert len(ranking.diseases) <= 3 and 0 <= ranking.none_of_these <= 1
