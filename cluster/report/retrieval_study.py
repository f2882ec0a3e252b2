"""A study of retrieval as tables for the terminal and as one HTML file with its figures.

The file needs nothing else: no network, no server, no other file.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.report.style import BLUE, GREY, ORANGE, VERMILION, name_ticks, new_figure
from cluster.report.text import literal
from cluster.retrieval import baselines
from cluster.retrieval.evaluation import (
    PRODUCT,
    PRODUCT_OBSERVED,
    Bin,
    Comparison,
    Estimate,
    Regime,
    Stratum,
    Study,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TEMPLATE: Final = "retrieval_study.html.j2"
P_LEAST: Final = "< 1e-300"
"""Shown for a p that is too small for a number."""
WIDTH: Final = 150
"""Columns that the tables need where the console is not a terminal."""
NAMES: Final = {
    PRODUCT: "product",
    PRODUCT_OBSERVED: "product, observed only",
    baselines.FUSION: "rank fusion",
    baselines.NAIVE_BAYES: "naive Bayes",
    baselines.SIMGIC_VOTE: "simGIC vote of 20",
    baselines.SIMGIC: "simGIC",
    baselines.IC_COSINE: "IC cosine",
    baselines.RESNIK: "Resnik best match",
    baselines.JACCARD: "Jaccard",
}
MEASURES: Final = {
    "disease_top_1": "diseases, top-1",
    "disease_top_10": "diseases, top-10",
    "case_top_1": "cases, top-1",
    "case_precision_10": "cases, P@10",
}
HEADS: Final = (
    "method",
    "disease top-1",
    "top-5",
    "top-10",
    "MRR",
    "macro top-1",
    "case top-1",
    "top-10",
    "MRR",
    "P@10",
    "ms p50",
    "p99",
)
NOTES: Final = (
    "Shares in per cent with 95 % intervals (publications drawn anew, 1,000 times), of the queries "
    "whose disease has a case that counts. Ties count against a method.",
    "Part of what the product gains over the other methods comes from excluded terms, which they "
    "do not read, and which cases of one curator list alike. The row of observed terms only is the "
    "figure without it.",
    "Information content is that of the ontology's table: the share of OMIM diseases annotated "
    "with a term. Annotations of diseases are not used as profiles.",
)


def render_study(study: Study, console: Console) -> None:
    """Write the tables of a study; they take 150 columns where there is no terminal."""
    asked = console.width
    console.width = asked if console.is_terminal else max(asked, WIDTH)
    try:
        for name, regime in study.regimes.items():
            title = f"{name}: {counts_text(regime)}"
            folded = [
                [cell.replace(" (", "\n").rstrip(")") for cell in row]
                for row in reading_rows(regime)
            ]
            console.print(_table(title, HEADS, folded))
            console.print(_table("", COMPARISON_HEADS, comparison_rows(regime)))
            for line in certainty_lines(regime):
                console.print(literal(line))
        for note in NOTES:
            console.print(literal(note))
    finally:
        console.width = asked


def render_page(study: Study) -> str:
    """Return the study as one HTML document; the same study gives the same bytes."""
    from plotly.offline import get_plotlyjs

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("cluster.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    parts = [
        {
            "name": name,
            "counts": counts_text(regime),
            "figure": _drawing(draw_methods(regime)),
            "readings": reading_rows(regime),
            "comparisons": comparison_rows(regime),
            "strata_heads": ("queries", "n", *(NAMES[method] for method in regime.readings)),
            "strata": strata_rows(regime.strata, list(regime.readings)),
            "certainty": certainty_lines(regime),
        }
        for name, regime in study.regimes.items()
    ]
    return environment.from_string(source).render(
        study=study,
        parts=parts,
        heads=HEADS,
        comparison_heads=COMPARISON_HEADS,
        notes=NOTES,
        reliability=_drawing(draw_reliability(study)),
        plotly_js=get_plotlyjs(),
    )


def draw_methods(regime: Regime) -> "Figure":
    """Draw the share of queries whose disease is the first, or among ten, by method."""
    from plotly.graph_objects import Scatter

    names = [NAMES[method] for method in regime.readings]
    figure = new_figure("", height=130 + 34 * len(names))
    for measure, name, color in (
        ("top_1", "the right disease is the first", BLUE),
        ("top_10", "it is among the first ten", ORANGE),
    ):
        found = [reading.diseases[measure] for reading in regime.readings.values()]
        figure.add_trace(
            Scatter(
                x=[100 * one.value for one in found],
                y=list(range(len(found))),
                mode="markers",
                name=name,
                marker={"color": color, "size": 9},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [100 * (one.high - one.value) for one in found],
                    "arrayminus": [100 * (one.value - one.low) for one in found],
                    "color": color,
                    "thickness": 1.6,
                },
                hovertemplate="%{x:.1f} %<extra></extra>",
            )
        )
    figure.update_yaxes(autorange="reversed", **name_ticks(names))
    figure.update_xaxes(range=[0, 100], title_text="per cent of the queries")
    return figure


def draw_reliability(study: Study) -> "Figure":
    """Draw how often the first disease is right against how probable the product calls it."""
    from plotly.graph_objects import Scatter

    figure = new_figure("", height=430)
    diagonal = {"color": GREY, "dash": "dot", "width": 1.4}
    figure.add_trace(
        Scatter(
            x=[0, 100], y=[0, 100], mode="lines", line=diagonal, name="as stated", hoverinfo="skip"
        )
    )
    for (name, regime), color in zip(study.regimes.items(), (VERMILION, BLUE), strict=True):
        filled = [one for one in regime.certainty[PRODUCT].reliability if one.n]
        figure.add_trace(_reliability(filled, name, color))
    figure.update_xaxes(range=[0, 102], title_text="stated probability of the first disease, %")
    figure.update_yaxes(range=[0, 102], title_text="share in which it is right, %")
    return figure


def _reliability(bins: Sequence[Bin], name: str, color: str) -> Any:  # noqa: ANN401 - plotly ships no types
    from plotly.graph_objects import Scatter

    return Scatter(
        x=[100 * (one.stated or 0.0) for one in bins],
        y=[100 * (one.right or 0.0) for one in bins],
        customdata=[one.n for one in bins],
        mode="lines+markers",
        name=name,
        line={"color": color, "width": 1.6},
        marker={"color": color, "size": 8},
        hovertemplate="%{x:.0f} % stated, %{y:.0f} % right, %{customdata} queries<extra></extra>",
    )


def counts_text(regime: Regime) -> str:
    """Say how many queries there are."""
    return f"{regime.n_queries:,} queries, {regime.n_answerable:,} with an answer"


def reading_rows(regime: Regime) -> list[list[str]]:
    """Return the cells of each method, as in ``HEADS``."""
    rows = []
    for method, one in regime.readings.items():
        cases = [one.cases.get(name) for name in ("top_1", "top_10", "mrr", "precision_10")]
        shares = [*one.diseases.values(), *cases]
        times = [f"{one.ms_p50:.1f}", f"{one.ms_p99:.1f}"]
        rows.append([NAMES[method], *map(_share, shares), *times])
    return rows


COMPARISON_HEADS: Final = (
    "method",
    "beside",
    "in",
    "difference, points",
    "only the first right",
    "only the other",
    "exact McNemar p",
)


def comparison_rows(regime: Regime) -> list[list[str]]:
    """Return the cells of each comparison, as in ``COMPARISON_HEADS``."""
    return [_compared(one) for one in regime.comparisons]


def _compared(one: Comparison) -> list[str]:
    d = one.difference
    points = f"{100 * d.value:+.1f} ({100 * d.low:+.1f} to {100 * d.high:+.1f})"
    counts = ["–" if n is None else f"{n:,}" for n in (one.only_method, one.only_other)]
    p = "–" if one.mcnemar_p is None else f"{one.mcnemar_p:.2g}" if one.mcnemar_p else P_LEAST
    return [NAMES[one.method], NAMES[one.other], MEASURES[one.measure], points, *counts, p]


def strata_rows(strata: Sequence[Stratum], methods: Sequence[str]) -> list[list[str]]:
    """Return for each stratum its name, its number, and top-1 / top-10 of each method."""
    rows = []
    for one in strata:
        end = "or more" if one.high is None else f"to {one.high}" if one.high > one.low else ""
        name = f"{one.name}: {one.low} {end}".strip()
        shares = [
            f"{100 * one.disease_top_1[method]:.1f} / {100 * one.disease_top_10[method]:.1f}"
            if one.n
            else "–"
            for method in methods
        ]
        rows.append([name, f"{one.n:,}", *shares])
    return rows


def certainty_lines(regime: Regime) -> list[str]:
    """Say how far the probabilities of the product hold."""
    lines = []
    for method, one in regime.certainty.items():
        auroc = "–" if one.none_auroc is None else f"{one.none_auroc:.3f}"
        lines.append(
            f"{NAMES[method]}: AUROC of “none of these” {auroc}, calibration error (ECE) of the "
            f"first disease's probability {one.ece:.3f}, over all {regime.n_queries:,} queries"
        )
    return lines


def _share(one: Estimate | None) -> str:
    if one is None:
        return "–"
    return f"{100 * one.value:.1f} ({100 * one.low:.1f}–{100 * one.high:.1f})"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text("\n").join(map(literal, cell.split("\n"))) for cell in row))
    return table


def _drawing(figure: "Figure") -> dict[str, Any]:
    figure.update_layout(title_text="", margin_t=40)
    drawn = figure.to_plotly_json()
    return {"height": figure.layout.height, "data": drawn["data"], "layout": drawn["layout"]}
