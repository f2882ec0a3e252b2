"""The figures of a result that are about accesses, prediction indexes and propagation.

Each is a pure function of the result, with the same promises as in ``cluster.report.figures``.
"""

from typing import TYPE_CHECKING, Any, Final

from cluster.contracts.result import FlowResult
from cluster.contracts.sharing import DecisionRecord
from cluster.report.readings import marks_of
from cluster.report.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    counted,
    cut_middle,
    log_ticks,
    name_ticks,
    new_figure,
    plain,
    shade_range,
    titled,
    wordless,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BIN: Final = 0.05
"""Width of a bar of the index distribution."""
CASES_MAX: Final = 15
"""Cases in the picture of the propagation parts."""
ROW_PX: Final = 26
PART_COLORS: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, GREY)
OUTCOMES: Final = (
    ("hold", "none", "held", GREY, "circle-open"),
    ("upload", "first", "uploaded by the first index", BLUE, "circle"),
    ("upload", "second", "uploaded by the second index", ORANGE, "diamond"),
)
UNDECIDED: Final = "No rare case has been decided on in this period."


def draw_indexes(result: FlowResult) -> "Figure":
    """Draw how the first and second indexes lie to the preset range (S640, S800)."""
    from plotly.graph_objects import Bar

    records = _records(result)
    inside = sum(one.index_min <= one.first.index <= one.index_max for one in records)
    text = f"{inside:,} of {counted(len(records), 'first index', 'first indexes')}"
    text += f" {'lies' if inside == 1 else 'lie'} in the preset range"
    title = titled(text, simulated=marks_of(result).decisions)
    if not records:
        return wordless(title, UNDECIDED)
    asked = [one.second.index for one in records if one.second is not None]
    series = [("first index, all decided cases", [one.first.index for one in records], BLUE)]
    if asked:
        series.append(("second index, where it was asked", asked, ORANGE))
    figure = new_figure(title)
    n_bins = round(1 / BIN)
    for name, values, color in series:
        counts = [0] * n_bins
        for value in values:
            counts[min(int(value / BIN), n_bins - 1)] += 1
        low = [round(i * BIN, 4) for i in range(n_bins)]
        figure.add_trace(
            Bar(
                x=[round(left + BIN / 2, 4) for left in low],
                y=[count or None for count in counts],
                customdata=[f"{left:.2f}–{left + BIN:.2f}" for left in low],
                name=name,
                marker={"color": color},
                hovertemplate="%{y:,} cases at %{customdata}<extra></extra>",
            )
        )
    _shade_presets(figure, records, axes="x")
    figure.update_layout(bargap=0.12, bargroupgap=0.05, barmode="group")
    figure.update_xaxes(title_text="prediction index (shaded: preset range)", range=[0, 1])
    figure.update_yaxes(title_text="cases, logarithmic", type="log", dtick=1, rangemode="tozero")
    figure.update_yaxes(range=[-0.3, None])
    return figure


def draw_first_second(result: FlowResult) -> "Figure":
    """Draw the second index against the first, where it was asked (S820, S840)."""
    records = [one for one in _records(result) if one.second is not None]
    rescued = sum(one.decided_by == "second" for one in records)
    text = f"The second index was asked for {counted(len(records), 'case')}"
    text += f" and let {rescued or 'none'} of them go"
    title = titled(text, simulated=marks_of(result).decisions)
    if not records:
        why = (
            "no second model was accepted"
            if result.second_model is None
            else "no case got the return instruction"
        )
        return wordless(title, f"Nothing to compare: {why}.")
    figure = new_figure(title, height=420)
    _add_outcomes(
        figure,
        records,
        x=[round(one.first.index, 4) for one in records],
        y=[round(one.second.index, 4) if one.second else None for one in records],
        axes=("first index", "second index"),
    )
    _shade_presets(figure, records, axes="xy")
    line = {"color": GREY, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line=line, layer="below")
    figure.update_xaxes(title_text="first index (shaded: preset range)", range=[-0.02, 1.02])
    figure.update_yaxes(title_text="second index", range=[-0.02, 1.02])
    return figure


def draw_learning(result: FlowResult) -> "Figure":
    """Draw the training and validation loss of the models, by epoch (S620)."""
    from plotly.graph_objects import Scatter

    cards = [one for one in (result.first_model, result.second_model) if one is not None]
    state = "converged" if result.first_model.converged else "did not converge"
    text = f"The first model {state} after {counted(result.first_model.epochs, 'epoch')}"
    title = titled(text, simulated=marks_of(result).accesses)
    if not any(card.learning_curve for card in cards):
        return wordless(title, "No learning curve was kept.")
    figure = new_figure(title)
    for card, color in zip(cards, (BLUE, ORANGE), strict=False):
        epochs = list(range(1, len(card.learning_curve) + 1))
        for part, name, dash in ((0, "training", "dot"), (1, "validation", "solid")):
            figure.add_trace(
                Scatter(
                    x=epochs,
                    y=[float(f"{point[part]:.5g}") for point in card.learning_curve],
                    mode="lines+markers" if len(epochs) == 1 else "lines",
                    line={"color": color, "dash": dash, "width": 2},
                    name=f"{card.role} model, {name}",
                    hovertemplate="epoch %{x}: %{y:.4f}<extra></extra>",
                )
            )
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="loss", rangemode="tozero")
    return figure


def draw_spread(result: FlowResult) -> "Figure":
    """Draw the propagation index of each decided case against its accesses (S530)."""
    records = _records(result)
    spread = sum(one.propagation_index > 0 for one in records)
    text = f"{spread:,} of {counted(len(records), 'decided case')} had been passed on"
    title = titled(text, simulated=marks_of(result).accesses)
    if not records:
        return wordless(title, UNDECIDED)
    figure = new_figure(title, height=420)
    _add_outcomes(
        figure,
        records,
        x=[1 + one.clicks + one.usages for one in records],
        y=[round(one.propagation_index, 4) for one in records],
        axes=("1 + accesses", "propagation index"),
    )
    ticks = log_ticks(1, max(2, *(1 + one.clicks + one.usages for one in records)), 2)
    figure.update_xaxes(title_text="1 + clicks and usages in the period", type="log", **ticks)
    figure.update_yaxes(title_text="propagation index", rangemode="tozero")
    return figure


def draw_parts(result: FlowResult) -> "Figure":
    """Draw what the highest propagation indexes are made of (S520, S530)."""
    from plotly.graph_objects import Bar

    found = [(one.platform, case) for one in result.platforms for case in one.propagation]
    found.sort(key=lambda pair: (-pair[1].index, pair[0], pair[1].case_id))
    top = found[:CASES_MAX]
    text = "What the highest propagation indexes are made of"
    title = titled(text, simulated=marks_of(result).accesses)
    if not top:
        return wordless(title, "No rare case has been passed on.")
    names = [
        f"{cut_middle(case.case_id, 22)} · {cut_middle(platform, 14)}" for platform, case in top
    ]
    figure = new_figure(title, height=150 + ROW_PX * len(top))
    parts = list(dict.fromkeys(part for _, case in top for part in case.parts))
    for number, part in enumerate(parts):
        figure.add_trace(
            Bar(
                y=list(range(len(top))),
                customdata=names,
                x=[round(case.parts.get(part, 0.0), 4) for _, case in top],
                orientation="h",
                name=plain(part),
                marker={"color": PART_COLORS[number % len(PART_COLORS)]},
                hovertemplate=f"{plain(part)}: %{{x:.3f}}<extra>%{{customdata}}</extra>",
            )
        )
    figure.update_layout(barmode="stack", bargap=0.25, legend_traceorder="normal")
    figure.update_xaxes(title_text="propagation index, by part")
    figure.update_yaxes(autorange="reversed", **name_ticks(names))
    return figure


def _records(result: FlowResult) -> list[DecisionRecord]:
    return [one for platform in result.platforms for one in platform.decisions]


def _shade_presets(figure: "Figure", records: list[DecisionRecord], *, axes: str) -> None:
    """Shade each preset range that was in force; platforms may have set their own."""
    for low, high in sorted({(one.index_min, one.index_max) for one in records}):
        for axis in axes:
            shade_range(figure, low, high, axis=axis)


def _add_outcomes(
    figure: "Figure",
    records: list[DecisionRecord],
    *,
    x: list[Any],
    y: list[Any],
    axes: tuple[str, str],
) -> None:
    """Add one point a case, in colour and form by its outcome."""
    from plotly.graph_objects import Scatter

    for outcome, decided_by, name, color, symbol in OUTCOMES:
        rows = [
            row
            for row, one in enumerate(records)
            if (one.outcome, one.decided_by) == (outcome, decided_by)
        ]
        if rows:
            figure.add_trace(
                Scatter(
                    x=[x[row] for row in rows],
                    y=[y[row] for row in rows],
                    mode="markers",
                    marker={"color": color, "symbol": symbol, "size": 8, "opacity": 0.7},
                    name=f"{name} ({len(rows):,})",
                    text=[plain(records[row].case_id) for row in rows],
                    hovertemplate=f"%{{text}}<br>{axes[0]} %{{x}}<br>{axes[1]} %{{y}}"
                    "<extra></extra>",
                )
            )
