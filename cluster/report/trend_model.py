"""The card of a trend model as tables for the terminal and as one HTML file with its figures.

The question of both is whether the network earns its keep beside a straight line, source by
source. The file needs nothing else: no network, no server, no other file.
"""

import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table

from cluster.contracts.trend import ShapeCard, TrendCard, TrendMetrics
from cluster.report.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    counted,
    log_ticks,
    name_ticks,
    new_figure,
    plain,
)
from cluster.report.text import literal

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TEMPLATE: Final = "trend_model.html.j2"
WIDTH: Final = 118
"""Columns that the tables need where the console is not a terminal."""
NETWORK: Final = "network"
LINEAR: Final = "linear"
NAMES: Final = {
    "network": "network",
    "linear": "linear model",
    "szabo_huberman": "Szabo-Huberman",
    "persistence": "persistence",
}
"""Best known first; a baseline that is not named here keeps its own name."""
HEADS: Final = (
    "forecast by",
    "MSLE (95 %)",
    "Spearman",
    "AUPRC hot",
    "AUPRC surge",
    "F1 trend",
    "Brier",
)
MORE_HEADS: Final = (*HEADS, "AUROC hot", "AUROC surge", "median error", "error of the log")
SOURCE_HEADS: Final = (
    "source",
    "bins seen",
    "bins forecast",
    "length of a bin",
    "windows",
    "items",
    "hot from, accesses",
    "correction used",
)
COLORS: Final = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
DECADES_FINE: Final = 2
"""Of an axis of errors, up to which it has more than one tick a decade."""
_DAY_MINUTES: Final = 24 * 60


def render_card(card: TrendCard, console: Console, title: str = "") -> None:
    """Write the tables of a card, one for each shape of windows, and what follows from them."""
    asked = console.width
    console.width = asked if console.is_terminal else max(asked, WIDTH)
    try:
        for shape in card.shapes:
            heading = f"{title}{shape.name}: {counts_text(shape)}"
            console.print(_table(heading, HEADS, figure_rows(shape, len(HEADS))))
            console.print(literal(verdict(shape)))
    finally:
        console.width = asked


def render_page(card: TrendCard, source: str = "") -> str:
    """Return the card as one HTML document; the same card and source give the same bytes.

    Args:
        card: of the model.
        source: what the windows were read from, as a person knows it.
    """
    from plotly.offline import get_plotlyjs

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("cluster.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    parts = [
        {
            "name": shape.name,
            "counts": counts_text(shape),
            "verdict": verdict(shape),
            "error": error_text(shape),
            "figure": _drawing(draw_errors(shape)),
            "rows": figure_rows(shape, len(MORE_HEADS)),
        }
        for shape in card.shapes
    ]
    drawings = {f"errors-{place}": part.pop("figure") for place, part in enumerate(parts)}
    drawings |= {
        "gain": _drawing(draw_gain(card)),
        "reliability": _drawing(draw_reliability(card)),
        "curve": _drawing(draw_curve(card)),
    }
    return environment.from_string(template).render(
        card=card,
        source=source,
        parts=parts,
        summary=summary(card),
        heads=MORE_HEADS,
        source_heads=SOURCE_HEADS,
        sources=source_rows(card),
        course=course_text(card),
        drawings=drawings,
        plotly_js=get_plotlyjs(),
    )


def summary(card: TrendCard) -> str:
    """Answer for all sources together whether the network earns its keep."""
    sides = [_side(shape) for shape in card.shapes]
    words = [
        (1, "better than the straight line for"),
        (0, "neither surely better nor surely worse for"),
        (-1, "worse for"),
    ]
    told = []
    for side, text in words:
        names = [
            shape.name for shape, found in zip(card.shapes, sides, strict=True) if found == side
        ]
        if names:
            told.append(f"{text} {', '.join(names)}")
    return f"The network is {'; '.join(told)}." if told else "It was not compared."


def verdict(shape: ShapeCard) -> str:
    """Say whether the network earns its keep beside the linear model, and how surely."""
    linear = shape.baselines.get(LINEAR)
    if linear is None or shape.better_than_linear is None:
        return "The network was not compared with a linear model."
    low, high = shape.better_than_linear
    change = linear.msle - shape.held_out.msle
    found = {
        1: "The network is better than the linear model",
        0: "The network is neither surely better nor surely worse than the linear model",
        -1: "The network is worse than the linear model",
    }[_side(shape)]
    figures = f"(MSLE {-change:+.4f}, 95 % interval {-high:+.4f} to {-low:+.4f})"
    if not _side(shape) or not linear.msle:
        return f"{found} {figures}."
    side = "lower" if change >= 0 else "higher"
    percent = abs(100 * change / linear.msle)
    return f"{found}: its error is {percent:.2g} % {side} {figures}."


def error_text(shape: ShapeCard) -> str:
    """Say in plain words how far off the forecasts are."""
    factor = 2.0**shape.held_out.msle**0.5
    text = f"A forecast is typically off by a factor of {factor:.2g}"
    if shape.held_out.median_ape is not None:
        text += f"; half of them by less than {100 * shape.held_out.median_ape:.0f} %"
    return f"{text}."


def counts_text(shape: ShapeCard) -> str:
    """Say what the figures are made on."""
    windows, items = counted(shape.n_windows, "window"), counted(shape.n_items, "item")
    return f"{windows} of {items}, {shape.n_obs} bins seen, {shape.n_fut} forecast"


def course_text(card: TrendCard) -> str:
    """Say how the training ended."""
    epochs = counted(card.epochs, "epoch")
    if card.converged:
        return f"Training ended by itself after {epochs}: no part got better any more."
    return f"Training was ended by its limit of {epochs}, before it had converged."


def figure_rows(shape: ShapeCard, n_columns: int) -> list[list[str]]:
    """Return the cells of each forecast, as in ``MORE_HEADS``, the first so many."""
    return [_figures(name, one)[:n_columns] for name, one in _forecasts(shape).items()]


def source_rows(card: TrendCard) -> list[list[str]]:
    """Return for each shape the cells of ``SOURCE_HEADS``."""
    return [
        [
            shape.name,
            f"{shape.n_obs}",
            f"{shape.n_fut}",
            bin_text(*shape.bin_days),
            f"{shape.n_windows:,}",
            f"{shape.n_items:,}",
            f"{2.0**shape.hot_threshold_log2 - 1:,.0f}",
            f"{100 * shape.correction_share:.0f} %",
        ]
        for shape in card.shapes
    ]


def bin_text(shortest_days: float, longest_days: float) -> str:
    """Write how long bins are, in the unit that suits."""
    unit, factor = ("days", 1.0) if shortest_days >= 1 else ("minutes", float(_DAY_MINUTES))
    ends = list(dict.fromkeys(f"{factor * end:.3g}" for end in (shortest_days, longest_days)))
    return f"{' to '.join(ends)} {unit}"


def draw_gain(card: TrendCard) -> "Figure":
    """Draw by how much the network's error is lower than the linear model's, per cent."""
    from plotly.graph_objects import Scatter

    found = [shape for shape in card.shapes if _gain(shape) is not None]
    figure = new_figure("", height=120 + 46 * max(len(found), 1))
    gains = [_gain(shape) or (0.0, 0.0, 0.0) for shape in found]
    colors = [{1: GREEN, 0: GREY, -1: VERMILION}[_side(shape)] for shape in found]
    figure.add_vline(x=0, line={"color": GREY, "width": 1.4})
    for place, (shape, (low, gain, high), color) in enumerate(
        zip(found, gains, colors, strict=True)
    ):
        figure.add_trace(
            Scatter(
                x=[gain],
                y=[place],
                mode="markers",
                name=plain(shape.name),
                showlegend=False,
                marker={"color": color, "size": 10},
                error_x=_bars([gain], [low], [high], color),
                hovertemplate="%{x:.1f} %<extra></extra>",
            )
        )
    figure.update_yaxes(
        range=[len(found) - 0.5, -0.5], **name_ticks([plain(one.name) for one in found])
    )
    figure.update_xaxes(title_text="error of the network below that of the linear model, per cent")
    return figure


def draw_errors(shape: ShapeCard) -> "Figure":
    """Draw the error of each forecast of one shape; every shape has a scale of its own."""
    from plotly.graph_objects import Scatter

    forecasts = _forecasts(shape)
    figure = new_figure("", height=110 + 32 * len(forecasts))
    for place, (name, one) in enumerate(forecasts.items()):
        low, high = one.msle_interval or (one.msle, one.msle)
        color = BLUE if name == NETWORK else GREY
        figure.add_trace(
            Scatter(
                x=[one.msle],
                y=[place],
                mode="markers",
                showlegend=False,
                marker={"color": color, "size": 9},
                error_x=_bars([one.msle], [low], [high], color),
                hovertemplate="%{x:.3f}<extra></extra>",
            )
        )
    names = [NAMES.get(name, plain(name)) for name in forecasts]
    figure.update_yaxes(range=[len(names) - 0.5, -0.5], **name_ticks(names))
    axis = _error_axis(list(forecasts.values()))
    scale = ", log scale" if axis.get("type") == "log" else ""
    figure.update_xaxes(title_text=f"MSLE, less is better{scale}", **axis)
    return figure


def draw_reliability(card: TrendCard) -> "Figure":
    """Draw how often windows were hot against the chance that was stated."""
    from plotly.graph_objects import Scatter

    figure = new_figure("", height=430)
    diagonal = {"color": GREY, "dash": "dot", "width": 1.4}
    figure.add_trace(
        Scatter(
            x=[0, 100], y=[0, 100], mode="lines", line=diagonal, name="as stated", hoverinfo="skip"
        )
    )
    for place, shape in enumerate(card.shapes):
        color, bins = COLORS[place % len(COLORS)], shape.hot_reliability
        figure.add_trace(
            Scatter(
                x=[100 * one.stated for one in bins],
                y=[100 * one.found for one in bins],
                customdata=[one.n for one in bins],
                mode="lines+markers",
                name=plain(shape.name),
                line={"color": color, "width": 1.6},
                marker={"color": color, "size": 8},
                hovertemplate="%{x:.0f} % stated, %{y:.0f} % hot, %{customdata:,} windows"
                "<extra></extra>",
            )
        )
    figure.update_xaxes(range=[0, 102], title_text="stated chance of being hot, %")
    figure.update_yaxes(range=[0, 102], title_text="share that was hot, %")
    return figure


def draw_curve(card: TrendCard) -> "Figure":
    """Draw the losses of the training by epoch."""
    from plotly.graph_objects import Scatter

    figure = new_figure("", height=330)
    epochs = list(range(1, len(card.learning_curve) + 1))
    for place, (name, color) in enumerate((("training", GREY), ("validation", BLUE))):
        losses = [pair[place] for pair in card.learning_curve]
        figure.add_trace(
            Scatter(x=epochs, y=losses, mode="lines", name=name, line={"color": color, "width": 2})
        )
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="loss")
    return figure


def _error_axis(found: Sequence[TrendMetrics]) -> dict[str, Any]:
    """Return an axis of ratios, on which a far worse forecast leaves room for the others."""
    ends = [end for one in found for end in (*(one.msle_interval or ()), one.msle)]
    low, high = min(ends), max(ends)
    if low <= 0:
        return {"rangemode": "tozero"}
    ticks = log_ticks(low, high, DECADES_FINE)
    return {"type": "log", "range": [math.log10(low / 1.15), math.log10(high * 1.15)], **ticks}


def _side(shape: ShapeCard) -> int:
    """Return 1 where the network is surely better than the linear model, -1 where worse."""
    low, high = shape.better_than_linear or (0.0, 0.0)
    return 1 if low > 0 else -1 if high < 0 else 0


def _gain(shape: ShapeCard) -> tuple[float, float, float] | None:
    """Return lower end, value and upper end of the gain over the linear model, per cent."""
    linear = shape.baselines.get(LINEAR)
    if linear is None or shape.better_than_linear is None or linear.msle == 0:
        return None
    low, high = (100 * end / linear.msle for end in shape.better_than_linear)
    return low, 100 * (linear.msle - shape.held_out.msle) / linear.msle, high


def _forecasts(shape: ShapeCard) -> Mapping[str, TrendMetrics]:
    """Return the network's figures and the baselines', in the order of ``NAMES``."""
    all_of_them = {NETWORK: shape.held_out, **shape.baselines}
    order = [*NAMES, *sorted(set(all_of_them) - set(NAMES))]
    return {name: all_of_them[name] for name in order if name in all_of_them}


def _figures(name: str, one: TrendMetrics) -> list[str]:
    interval = one.msle_interval
    msle = f"{one.msle:.3f}" + (f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else "")
    shares = (one.spearman, one.auprc_hot, one.auprc_surge, one.f1_trend, one.brier)
    more = (one.auroc_hot, one.auroc_surge, one.median_ape, one.mape_log)
    cells = ["–" if figure is None else f"{figure:.3f}" for figure in (*shares, *more)]
    return [NAMES.get(name, name), msle, *cells]


def _bars(
    values: Sequence[float], lows: Sequence[float], highs: Sequence[float], color: str
) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, high in zip(values, highs, strict=True)],
        "arrayminus": [value - low for value, low in zip(values, lows, strict=True)],
        "color": color,
        "thickness": 1.6,
    }


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(
        title=literal(title, style="table.title"), title_justify="left", box=box.SIMPLE_HEAD
    )
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(literal, row))
    return table


def _drawing(figure: "Figure") -> dict[str, Any]:
    figure.update_layout(title_text="", margin_t=40)
    drawn = figure.to_plotly_json()
    return {"height": figure.layout.height, "data": drawn["data"], "layout": drawn["layout"]}
