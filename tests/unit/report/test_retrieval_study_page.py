"""What a study of retrieval looks like on a page and on the terminal."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from cluster.report.retrieval_study import (
    NAMES,
    draw_methods,
    draw_reliability,
    reading_rows,
    render_page,
    render_study,
    strata_rows,
)
from cluster.retrieval import baselines
from cluster.retrieval.evaluation import (
    PRODUCT,
    PRODUCT_OBSERVED,
    WITH_PUBLICATION,
    WITHOUT_PUBLICATION,
    Answer,
    Answers,
    Queries,
    Regime,
    Resampling,
    Study,
    certainty_of,
    compare,
    read,
    stratify,
)


def a_regime(n_answerable: int) -> Regime:
    """Measure the product with ranks 1 and 2, and the fusion with ranks 2 and 20."""
    ones = np.ones(2, np.int64)
    queries = Queries(np.arange(2), ones, ones, ones)
    resampling = Resampling(np.arange(2), np.random.default_rng(0))
    product = Answers.of([Answer(rank, rank, 0.5, 0.9, 0.1, 1.5) for rank in (1, 2)])
    fusion = Answers.of([Answer(rank, ms=0.5) for rank in (2, 20)])
    pair = product.by_disease()[:, 0], fusion.by_disease()[:, 0]
    answers = {PRODUCT: product, baselines.FUSION: fusion}
    certainty = certainty_of(product, np.ones(2, bool))
    return Regime(
        n_queries=2,
        n_answerable=n_answerable,
        readings={name: read(one, queries, resampling) for name, one in answers.items()},
        comparisons=[compare((PRODUCT, baselines.FUSION), "disease_top_1", pair, resampling)],
        strata=stratify(answers, queries),
        certainty={PRODUCT: certainty, PRODUCT_OBSERVED: certainty},
    )


@pytest.fixture
def study() -> Study:
    return Study(
        cases="cases <of> mine",
        n_cases=3,
        ontology="ten terms",
        seed=1,
        folds=4,
        n_questions=2,
        regimes={WITH_PUBLICATION: a_regime(2), WITHOUT_PUBLICATION: a_regime(1)},
        case_ids=["a", "b"],
        disease_ranks={},
    )


def test_the_table_shows_per_cent_and_leaves_empty_what_is_not_said(study: Study) -> None:
    """A12: a method that ranks diseases only has dashes for cases, not zeros."""
    product, fusion = reading_rows(study.regimes[WITH_PUBLICATION])
    assert product[0] == "product" and product[1].startswith("50.0 (")
    assert fusion[1].startswith("0.0 (") and fusion[6:10] == ["–"] * 4
    assert product[9].startswith("50.0 (")


def test_every_method_has_a_name() -> None:
    """A12: what is measured can be shown."""
    assert {PRODUCT, PRODUCT_OBSERVED, *baselines.CASE_METHODS} <= NAMES.keys()
    assert {baselines.NAIVE_BAYES, baselines.SIMGIC_VOTE, baselines.FUSION} <= NAMES.keys()


def test_strata_without_a_query_say_so(study: Study) -> None:
    """A12: nothing was measured there, which is not 0 %."""
    rows = strata_rows(study.regimes[WITH_PUBLICATION].strata, [PRODUCT])
    assert rows[0] == ["usable cases: 1", "2", "50.0 / 100.0"]
    assert rows[1] == ["usable cases: 2 to 4", "0", "–"]
    assert rows[3][0] == "usable cases: 20 or more"


def test_figures_show_what_was_measured(study: Study) -> None:
    """A12: dots at the shares, bars to the ends of the intervals, bins that have queries."""
    figure = draw_methods(study.regimes[WITH_PUBLICATION])
    first, tenth = figure.data
    assert list(first.x) == [50, 0] and list(tenth.x) == [100, 50]
    top_1 = study.regimes[WITH_PUBLICATION].readings[PRODUCT].diseases["top_1"]
    assert first.x[0] + first.error_x.array[0] == pytest.approx(100 * top_1.high)
    assert first.x[0] - first.error_x.arrayminus[0] == pytest.approx(100 * top_1.low)
    _, *curves = draw_reliability(study).data
    assert [(list(c.x), list(c.y)) for c in curves] == [([90.0], [50.0])] * 2


def test_the_page_stands_alone(study: Study) -> None:
    """A12: texts from outside are escaped, drawings are JSON, and nothing is loaded."""
    page = render_page(study)
    assert "cases &lt;of&gt; mine" in page and "cases <of>" not in page
    drawings = re.search(r'id="drawings">(.*?)</script>', page, re.DOTALL)
    assert drawings is not None
    assert json.loads(drawings.group(1)).keys() == {"0", "1", "reliability"}
    marked_up = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!data:)', marked_up)
    assert "default-src 'none'" in marked_up


def test_the_caveat_stands_beside_the_figures(study: Study) -> None:
    """A12: page and terminal say that part of the gain comes from excluded terms."""
    screen = io.StringIO()
    console = Console(file=screen, width=80)
    render_study(study, console)
    assert console.width == 80
    for shown in (screen.getvalue(), render_page(study)):
        assert "comes from excluded terms" in " ".join(shown.split())
        assert "2 queries, 1 with an answer" in shown
