"""An update of a trend model as tables for the terminal and as one HTML file.

The questions are what it gained on new windows, what it forgot on old ones, and whether another
way would have been better.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console

from cluster.contracts.trend import ShapeChange, UpdateReport
from cluster.contracts.trend_update import UpdateArm, UpdateComparison
from cluster.report.sections import Rows, Section, render_sections, terminal_table
from cluster.report.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    counted,
    new_figure,
)
from cluster.report.text import literal

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WIDTH: Final = 132
"""Columns that the tables need where the console is not a terminal."""
NAMES: Final = {
    "none": "no update",
    "naive": "naive fine-tuning",
    "replay": "replay of 10 %",
    "distillation": "replay and distillation",
    "product": "Dazzle",
    "retrained": "full retraining",
}
COLORS: Final = {
    "none": GREY,
    "naive": VERMILION,
    "replay": ORANGE,
    "distillation": PURPLE,
    "product": BLUE,
    "retrained": GREEN,
}
ARM_HEADS: Final = (
    "way",
    "new learned",
    "old rehearsed",
    "MSLE old",
    "change (95 %)",
    "MSLE new",
    "change (95 %)",
    "seconds",
)
SHAPE_HEADS: Final = (
    "windows",
    "bins seen",
    "bins forecast",
    "number",
    "MSLE before",
    "after",
    "change (95 %)",
)
CHANGE_SHOWN: Final = 0.005
"""Change of the MSLE up to which an axis reaches at the least."""
GATES: Final = {
    "propagation": "whose propagation index reaches {preset:g}",
    "usages": "in the top quarter by usages of their source",
    "none": "without a gate",
}
NOTES: Final = (
    "MSLE: mean squared difference between the forecast and what came, both as log2 of one plus "
    "the accesses. Less is better. Sources weigh alike. Intervals draw items anew.",
    "Each window is forecast by a part of the network that never learned from its item, neither "
    "in the first model nor in the update. The new windows are all of them, not only those gated "
    "in. For a source that the first model had not met, the error before is that of a linear "
    "forecast fitted to it.",
)
ARM_NOTES: Final = (
    "All ways see the same windows and draw with the same seed. Naive fine-tuning, replay and "
    "distillation learn from the gated windows alone and go all the way, whatever they forget; "
    "Dazzle adds random ungated windows, rehearses as many old ones as it learns, goes only as "
    "far as old windows bear, and has the guard. Full retraining starts anew on all old windows "
    "and the new ones that Dazzle learns from.",
    "Seconds are of the machine as it was, from the windows to the scored model.",
)


def render_update(
    report: UpdateReport, comparison: UpdateComparison | None, console: Console
) -> None:
    """Write what an update did, and beside it the other ways where they were tried."""
    asked = console.width
    console.width = asked if console.is_terminal else max(asked, WIDTH)
    try:
        console.print(literal(learned_text(report)))
        for rows in _both_rows(report):
            console.print(terminal_table(rows))
        if comparison is not None:
            console.print(terminal_table(_arm_rows(comparison)))
        console.print(literal(verdict(report)))
    finally:
        console.width = asked


def render_page(report: UpdateReport, comparison: UpdateComparison | None = None) -> str:
    """Return the update as one HTML document; the same report gives the same bytes."""
    arms = _own_arms(report) if comparison is None else comparison.arms
    sections = [
        Section(
            title="What was gained, and what was forgotten",
            texts=() if comparison is None else ARM_NOTES,
            caption="Change of the error on old windows against that on new ones, with 95 % "
            "intervals: left is a gain, above the dashed line is more forgetting than is allowed",
            figure=draw_changes(arms, report.forgetting_max),
            rows=None if comparison is None else _arm_rows(comparison),
        ),
        *(Section(title=rows.caption.partition(",")[0], rows=rows) for rows in _both_rows(report)),
        Section(title="What the figures mean", texts=NOTES),
    ]
    lead = learned_text(report)
    return render_sections("An update of the trend model", lead, verdict(report), sections)


def verdict(report: UpdateReport) -> str:
    """Say whether the second model is published, and why."""
    if not report.accepted:
        return f"Nothing is published: {report.reason}."
    gain = _interval_text(report.new_after - report.new_before, report.new_change)
    rise = _interval_text(report.old_after - report.old_before, report.old_change)
    return (
        f"The second model is published. The error changed by {gain} on new windows, and by {rise} "
        f"on old ones, where {report.forgetting_max:+.4g} was allowed."
    )


def learned_text(report: UpdateReport) -> str:
    """Say what the update learned from."""
    gate = GATES[report.gate].format(preset=report.propagation_preset)
    learned = counted(report.n_gated, "new window")
    text = f"Learned from {learned} {gate}"
    if report.n_random:
        text += f" and {report.n_random:,} random others"
    text += f", beside {counted(report.n_rehearsal, 'old one')}."
    if report.n_gated:
        text += f" Mean loss of the third index on the gated: {report.loss_data_mean:.3f}."
    return text


def draw_changes(arms: Sequence[UpdateArm], forgetting_max: float) -> "Figure":
    """Draw the change on old windows against that on new ones, and the bounds of the guard."""
    from plotly.graph_objects import Scatter

    figure = new_figure("", height=460)
    figure.add_vline(x=0, line={"color": GREY, "width": 1.2})
    figure.add_hline(y=0, line={"color": GREY, "width": 1.2})
    figure.add_hline(y=forgetting_max, line={"color": VERMILION, "width": 1.4, "dash": "dash"})
    for arm in arms:
        color = COLORS.get(arm.name, SKY)
        figure.add_trace(
            Scatter(
                x=[arm.new_change[1]],
                y=[arm.old_change[1]],
                mode="markers",
                name=NAMES.get(arm.name, arm.name),
                marker={"color": color, "size": 11 if arm.name == "product" else 9},
                error_x=_bar(arm.new_change, color),
                error_y=_bar(arm.old_change, color),
                hovertemplate="new %{x:+.4f}, old %{y:+.4f}",
            )
        )
    news = [end for arm in arms for end in arm.new_change]
    olds = [end for arm in arms for end in arm.old_change]
    figure.update_xaxes(title_text="change of the MSLE on new windows", **_axis(news))
    figure.update_yaxes(title_text="change on old windows", **_axis([*olds, forgetting_max]))
    return figure


def _axis(ends: Sequence[float]) -> dict[str, object]:
    """Return an axis that does not make much of changes that are nothing."""
    low, high = min(*ends, -CHANGE_SHOWN), max(*ends, CHANGE_SHOWN)
    margin = 0.06 * (high - low)
    return {"range": [low - margin, high + margin], "tickformat": ".3~f"}


def _own_arms(report: UpdateReport) -> tuple[UpdateArm, ...]:
    """Return the update as the one way that there is."""
    (low_old, high_old), (low_new, high_new) = report.old_change, report.new_change
    arm = UpdateArm(
        name="product",
        n_learned=report.n_gated + report.n_random,
        n_rehearsal=report.n_rehearsal,
        old=report.old_after,
        old_change=(low_old, report.old_after - report.old_before, high_old),
        new=report.new_after,
        new_change=(low_new, report.new_after - report.new_before, high_new),
        seconds=0.0,
    )
    return (arm,)


def _arm_rows(comparison: UpdateComparison) -> Rows:
    caption = (
        f"Ways to learn from the same windows: {comparison.n_old:,} old, {comparison.n_new:,} "
        f"new, seed {comparison.seed}"
    )
    cells = []
    for arm in comparison.arms:
        (low_old, old, high_old), (low_new, new, high_new) = arm.old_change, arm.new_change
        cells.append(
            [
                NAMES.get(arm.name, arm.name),
                f"{arm.n_learned:,}",
                f"{arm.n_rehearsal:,}",
                f"{arm.old:.4f}",
                _interval_text(old, (low_old, high_old)),
                f"{arm.new:.4f}",
                _interval_text(new, (low_new, high_new)),
                f"{arm.seconds:.1f}",
            ]
        )
    return Rows(caption, ARM_HEADS, cells)


def _both_rows(report: UpdateReport) -> tuple[Rows, Rows]:
    return (
        _shape_rows("Old windows, items kept apart", report.old_shapes),
        _shape_rows("New windows, items kept apart", report.new_shapes),
    )


def _shape_rows(caption: str, shapes: Sequence[ShapeChange]) -> Rows:
    cells = [
        [
            shape.name,
            f"{shape.n_obs}",
            f"{shape.n_fut}",
            f"{shape.n_windows:,}",
            f"{shape.before:.4f}",
            f"{shape.after:.4f}",
            _interval_text(shape.after - shape.before, shape.change),
        ]
        for shape in shapes
    ]
    return Rows(caption, SHAPE_HEADS, cells)


def _interval_text(value: float, ends: tuple[float, float]) -> str:
    if value == 0 and ends == (0.0, 0.0):
        return "–"
    return f"{value:+.4f} ({ends[0]:+.4f} to {ends[1]:+.4f})"


def _bar(ends: tuple[float, float, float], color: str) -> dict[str, object]:
    low, value, high = ends
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value],
        "arrayminus": [value - low],
        "color": color,
        "thickness": 1.4,
    }
