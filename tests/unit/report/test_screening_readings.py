"""What page and terminal say of a screening."""

import pytest
from flow_results import BASIS, COMMON, flow_result, platform_result, screened_class

from cluster.contracts.result import RatesFile, ScreeningReport
from cluster.report import readings
from cluster.report.html import render_report
from cluster.screening.incidence import KEPT, MAY_BE_ABOVE, NO_CLASS


def screening() -> ScreeningReport:
    return platform_result("north").screening


def test_cases_are_counted_at_each_step() -> None:
    """A2: all, with a class, after the first, after the second screening."""
    report = screening()
    odd = [
        report.cases[0].model_copy(update={"case_id": "n", "rank": 0, "reason": NO_CLASS}),
        report.cases[0].model_copy(update={"case_id": "m", "rank": 0, "reason": MAY_BE_ABOVE}),
    ]
    steps = readings.screening_steps(report.model_copy(update={"cases": [*report.cases, *odd]}))
    assert list(steps.values()) == [11, 10, 3, 2]


def test_priors_are_counted_by_kind() -> None:
    """A2: which sources were used, and for how many classes."""
    assert readings.prior_kinds(screening()) == {"pooled": 2}


@pytest.mark.parametrize(
    ("rule", "reason", "said"),
    [
        ("lenient", KEPT, "kept: median 0.123 ≤ 0.3"),
        ("strict", KEPT, "kept: upper end 0.457 ≤ 0.3"),
        ("lenient", COMMON, COMMON),
    ],
)
def test_a_reason_has_the_number_that_was_compared(rule: str, reason: str, said: str) -> None:
    """A2: why a class passed is as plain as why one did not."""
    basis = BASIS.model_copy(update={"rule": rule})
    assert readings.reason_text(screened_class("OMIM:1", "One", 1, reason), basis) == said


def test_an_incidence_without_a_population_is_not_known() -> None:
    """A2: no number stands where there is none."""
    row = screened_class("OMIM:1", "One", 1).model_copy(update={"person_years": 0.0})
    assert readings.interval_text(row) == "not known"


def test_the_page_shows_population_prior_and_published_rarity() -> None:
    """A2: N with its origin, rule, prior with its source, published rarity, reason."""
    rates = RatesFile(file="rates.xml", sha256="ab" * 32, records=7, without_rate=0, priors=1)
    basis = BASIS.model_copy(update={"rates": rates})
    platform = platform_result("north")
    told = platform.screening.model_copy(update={"basis": basis})
    page = render_report(flow_result([platform.model_copy(update={"screening": told})]))
    for said in (
        "1,000,000 person-years (stated)",
        "lenient rule: median at most 0.3 per 100,000",
        "published rates from rates.xml (abababababab), 7 records",
        "0.25, pooled: annual incidence, 5 in 2,000,000 person-years of 2 platforms",
        "point prevalence 1-9 / 100 000, Europe, ORPHA:63 (exact)",
        "kept: median 0.247 ≤ 0.3",
        "2 pooled",
    ):
        assert said in page


def test_a_result_of_an_older_release_is_shown() -> None:
    """A2 A13: without a median and a basis the mean stands for itself."""
    platform = platform_result("north")
    old = platform.screening.model_copy(
        update={
            "basis": None,
            "classes": [
                row.model_copy(update={"incidence_median": None})
                for row in platform.screening.classes
            ],
        }
    )
    page = render_report(flow_result([platform.model_copy(update={"screening": old})]))
    assert "not screened" not in page.split("Rarest classes")[1].split("</table>")[0]
    assert "0.286 (0.0542–0.913)" in page
