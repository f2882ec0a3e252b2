"""Forecasts forward in time as tables for the terminal and as one HTML file (S700)."""

from typing import Final

from rich.console import Console

from cluster.clock import iso
from cluster.contracts.trend_forward import ForwardStudy
from cluster.report.sections import Rows, Section, render_sections, terminal_table
from cluster.report.style import counted
from cluster.report.text import literal
from cluster.report.trend_model import (
    HEADS,
    MORE_HEADS,
    WIDTH,
    counts_text,
    draw_errors,
    error_text,
    figure_rows,
    verdict,
)

NOTES: Final = (
    "MSLE: mean squared difference between the forecast and what came, both as log2 of one plus "
    "the accesses. Less is better. Intervals draw items anew.",
    "Network and baselines have learned from the same earlier windows. The network's forecast is "
    "the mean of all its parts, as the product gives it.",
    "An item may have windows on both sides of the day: the question is whether forecasts would "
    "have been good, not whether they hold for items that were never met.",
    "The day is measured against the cut that the windows state. Where a source states the month "
    "of an item's beginning in its place, the day is as much earlier as the window is long.",
)


def render_forward(study: ForwardStudy, console: Console) -> None:
    """Write the tables of a study, one for each shape of windows."""
    asked = console.width
    console.width = asked if console.is_terminal else max(asked, WIDTH)
    try:
        console.print(literal(division_text(study)))
        for shape in study.shapes:
            caption = f"{shape.name}: {counts_text(shape)}"
            rows = Rows(caption, HEADS, figure_rows(shape, len(HEADS)))
            console.print(terminal_table(rows))
            console.print(literal(verdict(shape)))
    finally:
        console.width = asked


def render_page(study: ForwardStudy) -> str:
    """Return the study as one HTML document; the same study gives the same bytes."""
    sections = [
        Section(
            title=shape.name,
            texts=(f"{counts_text(shape)}. {error_text(shape)}", verdict(shape)),
            caption=f"Error of each forecast of {shape.name}, with 95 % intervals",
            figure=draw_errors(shape),
            rows=Rows(
                f"All figures of {shape.name}", MORE_HEADS, figure_rows(shape, len(MORE_HEADS))
            ),
        )
        for shape in study.shapes
    ]
    answer = " ".join(f"{shape.name}: {verdict(shape)}" for shape in study.shapes)
    return render_sections(
        "Would the forecasts have been good?",
        f"{study.source}. {division_text(study)}",
        answer,
        [*sections, Section(title="What the figures mean", texts=NOTES)],
    )


def division_text(study: ForwardStudy) -> str:
    """Say which windows were learned from, which scored, and which left out."""
    learned = counted(study.n_learned, "window")
    text = (
        f"As of {iso(study.day)[:10]}: learned from {learned} whose horizon had ended, scored on "
        f"{study.n_scored:,} cut on that day or later; seed {study.seed}."
    )
    left_out = [
        (study.n_between, "cut before it whose horizon had not ended"),
        (study.n_without_cut, "whose cut is not known"),
        (study.n_unlike, "of a shape or period that no earlier one has"),
    ]
    told = [f"{counted(n, 'window')} {what}" for n, what in left_out if n]
    return f"{text} Left out: {'; '.join(told)}." if told else text
