"""A search for a configuration as a table for the terminal and as one HTML file with its figures.

The file needs nothing else: no network, no server, no other file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table

from cluster.contracts.image_search import ImageSearch
from cluster.contracts.trend_search import Parameter, TrendSearch, Trial, Value
from cluster.report.style import BLUE, GREY, ORANGE, VERMILION, counted, log_ticks, new_figure
from cluster.report.text import literal

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Search = TrendSearch | ImageSearch

TEMPLATE: Final = "trend_search.html.j2"
TITLE: Final = "A search for a better configuration of the trend network"
WIDTH: Final = 130
"""Columns that the table needs where the console is not a terminal."""
STATES: Final = {"finished": "finished", "stopped_early": "stopped early", "failed": "failed"}
COLORS: Final = {"finished": BLUE, "stopped_early": GREY, "failed": VERMILION}
DECADES_FINE: Final = 2
WIDE: Final = 10
"""Choices with this ratio of the last to the first are drawn on a log scale."""
MARGIN: Final = 0.05
"""Of an axis beyond the bounds of a parameter, as a share of them."""
NOTES: Final = (
    "The loss is on validation items, with one weight of the labels for all trials: squared error "
    "of the log accesses in units of the linear forecast's, and cross entropy of both labels.",
    "The best of many is chosen by the same items that it is shown on, so its lead is a little too "
    "good. Items that a member of the network keeps apart are not looked at. Half of them are "
    "validation items of another member, so the card of a published trial flatters a little too: "
    "believe windows that no search has seen.",
)


@dataclass(frozen=True)
class SearchTexts:
    """What is said of a search in words, and the table of its trials."""

    title: str
    counts: str
    notes: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    curve: str = "validation loss, best weights so far"
    """What the curves show."""


def render_search(search: TrendSearch, console: Console) -> None:
    """Write the table of the trials, best first, and what follows from it."""
    show_search(search, _texts(search), console)


def render_page(search: TrendSearch) -> str:
    """Return the search as one HTML document; the same search gives the same bytes."""
    return search_page(search, _texts(search))


def show_search(search: Search, texts: SearchTexts, console: Console) -> None:
    """Write the table of any search's trials, and its verdict."""
    asked = console.width
    console.width = asked if console.is_terminal else max(asked, WIDTH)
    table = Table(
        title=literal(texts.counts),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for place, head in enumerate(texts.heads):
        table.add_column(head, justify="right" if place else "left", overflow="fold")
    for row in texts.rows:
        table.add_row(*map(literal, row))
    try:
        console.print(table)
        console.print(literal(verdict(search)))
    finally:
        console.width = asked


def search_page(search: Search, texts: SearchTexts) -> str:
    """Return any search as one HTML document."""
    from plotly.offline import get_plotlyjs

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("cluster.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        texts=texts,
        verdict=verdict(search),
        curves=_drawing(draw_curves(search, texts.curve)),
        parameters=[
            {
                "name": parameter.name,
                "meaning": parameter.meaning,
                "figure": _drawing(draw_parameter(search, parameter)),
            }
            for parameter in search.plan.space
        ],
        plotly_js=get_plotlyjs(),
    )


def _texts(search: TrendSearch) -> SearchTexts:
    return SearchTexts(TITLE, counts_text(search), NOTES, heads(search), trial_rows(search))


def counts_text(search: TrendSearch) -> str:
    """Say how many trials there are, and how they ended."""
    plan = search.plan
    return (
        f"{counted(len(search.trials), 'trial')} on {plan.n_windows:,} windows of {plan.windows}, "
        f"at most {plan.epochs_max} epochs, seed {plan.seed}: {ends_text(search)}"
    )


def ends_text(search: Search) -> str:
    """Say how many trials ended in which way."""
    states = [trial.state for trial in search.trials]
    ends = [f"{states.count(state)} {text}" for state, text in STATES.items() if state in states]
    return ", ".join(ends)


def verdict(search: Search) -> str:
    """Say which trial is the best, and by how much it is better than the default."""
    best, default = next(iter(search.trials), None), _default(search)
    if best is None or best.validation_loss is None:
        return "No trial has a validation loss."
    if default is None or default.validation_loss is None:
        return f"Best is {best.id}; the default has no validation loss to compare it with."
    if best.id == default.id:
        return f"Nothing tried is better than the default, {default.id}."
    gain = default.validation_loss - best.validation_loss
    percent = 100 * gain / default.validation_loss
    return (
        f"Best is {best.id}: its validation loss is {gain:.4f} ({percent:.2g} %) lower than that "
        f"of the default, {default.id}."
    )


def heads(search: Search) -> tuple[str, ...]:
    """Return the headings of the cells of ``trial_rows``."""
    names = [parameter.name.replace("_", "\n") for parameter in search.plan.space]
    return ("trial", "loss", "beside\ndefault", "epochs", "state", "seconds", *names)


def trial_rows(search: Search) -> list[list[str]]:
    """Return the cells of each trial, best first."""
    default = _default(search)
    base = default.validation_loss if default else None
    rows = []
    for trial in search.trials:
        loss = trial.validation_loss
        name = f"{trial.id} (default)" if trial is default else trial.id
        beside = "" if loss is None or base is None or trial is default else f"{loss - base:+.4f}"
        state = f"{STATES[trial.state]} ({trial.error})" if trial.error else STATES[trial.state]
        figures = ["" if loss is None else f"{loss:.4f}", beside, str(trial.epochs), state]
        values = [number(trial.values[parameter.name]) for parameter in search.plan.space]
        rows.append([name, *figures, f"{trial.seconds:.0f}", *values])
    return rows


def number(value: Value) -> str:
    """Write a value as short as it is."""
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def draw_curves(search: Search, shown: str) -> "Figure":
    """Draw what is ``shown`` of every trial by epoch; where one was ended, its mark says how."""
    from plotly.graph_objects import Scatter

    figure = new_figure("", height=420)
    default = _default(search)
    best = search.trials[0] if search.trials else None
    for trial in reversed(search.trials):  # the best is drawn over the others
        if not trial.curve:
            continue
        epochs, losses = zip(*trial.curve, strict=True)
        color = ORANGE if trial is default else BLUE if trial is best else GREY
        is_stopped = trial.state != "finished"
        figure.add_trace(
            Scatter(
                x=epochs,
                y=losses,
                mode="lines+markers",
                name=trial.id,
                showlegend=False,
                line={"color": color, "width": 1.2 if color == GREY else 2.4},
                marker={
                    "color": COLORS["failed"] if trial.state == "failed" else color,
                    "size": [3] * (len(epochs) - 1) + [10 if is_stopped else 7],
                    "symbol": ["circle"] * (len(epochs) - 1) + ["x" if is_stopped else "circle"],
                },
                hovertemplate=f"{trial.id}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            )
        )
    for name, color, symbol in (
        ("best", BLUE, "circle"),
        ("default", ORANGE, "circle"),
        ("others", GREY, "circle"),
        ("stopped early or failed", GREY, "x"),
    ):
        figure.add_trace(
            Scatter(
                x=[None],
                y=[None],
                mode="markers",
                name=name,
                marker={"color": color, "symbol": symbol, "size": 9},
            )
        )
    figure.update_xaxes(title_text="epochs", rangemode="tozero")
    figure.update_yaxes(title_text=shown)
    return figure


def draw_parameter(search: Search, parameter: Parameter) -> "Figure":
    """Draw the validation loss of every trial against one of its values."""
    figure = new_figure("", height=300)
    default = _default(search)
    for state, text in STATES.items():
        found = [
            trial
            for trial in search.trials
            if trial.state == state and trial is not default and trial.validation_loss is not None
        ]
        figure.add_trace(_points(found, parameter, text, COLORS[state], "circle"))
    if default is not None and default.validation_loss is not None:
        figure.add_trace(_points([default], parameter, "default", ORANGE, "diamond"))
    figure.update_yaxes(title_text="validation loss")
    if any(isinstance(choice, str) for choice in parameter.choices):
        names = [str(choice) for choice in parameter.choices]
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=names)
        figure.update_xaxes(title_text=parameter.name, range=[-0.5, len(names) - 0.5])
        return figure
    ends = [parameter.low, parameter.high]
    is_wide = parameter.scale == "choice" and parameter.high > WIDE * parameter.low
    if parameter.scale == "log" or is_wide:
        ends = [math.log10(end) for end in ends]
        figure.update_xaxes(type="log", **log_ticks(parameter.low, parameter.high, DECADES_FINE))
    if parameter.choices:
        names = [str(choice) for choice in parameter.choices]
        figure.update_xaxes(tickvals=list(parameter.choices), ticktext=names)
    margin = MARGIN * (ends[1] - ends[0])
    figure.update_xaxes(title_text=parameter.name, range=[ends[0] - margin, ends[1] + margin])
    return figure


def _points(
    trials: Sequence[Trial], parameter: Parameter, name: str, color: str, symbol: str
) -> Any:  # noqa: ANN401 - plotly ships no types
    from plotly.graph_objects import Scatter

    return Scatter(
        x=[trial.values[parameter.name] for trial in trials],
        y=[trial.validation_loss for trial in trials],
        customdata=[(trial.id, number(trial.values[parameter.name])) for trial in trials],
        mode="markers",
        name=name,
        marker={"color": color, "symbol": symbol, "size": 9},
        hovertemplate="%{customdata[0]}, %{customdata[1]}: %{y:.4f}<extra></extra>",
    )


def _default(search: Search) -> Trial | None:
    first = search.plan.candidates[0].id
    return next((trial for trial in search.trials if trial.id == first), None)


def _drawing(figure: "Figure") -> dict[str, Any]:
    figure.update_layout(title_text="", margin_t=40)
    drawn = figure.to_plotly_json()
    return {"height": figure.layout.height, "data": drawn["data"], "layout": drawn["layout"]}
