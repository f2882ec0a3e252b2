"""The figures of a result that are about platforms, rare classes and deliveries.

Each is a pure function of the result. Its title says what is seen, and carries the mark where the
numbers are simulated; a result with nothing to draw gives a figure that says so in words.
"""

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from cluster.contracts.result import ClassSummary, FlowResult, PlatformResult
from cluster.report.readings import agreements, case_deliveries, marks_of, number, totals_of
from cluster.report.style import (
    BLUE,
    GREEN,
    GREY,
    HEAT,
    RULE,
    VERMILION,
    counted,
    cut_middle,
    log_ticks,
    name_ticks,
    new_figure,
    plain,
    short_category,
    titled,
    wordless,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CATEGORIES_MAX: Final = 14
LEVELS_MAX: Final = 12
"""Distinct incidences drawn of one platform, lowest first."""
REACH: Final = 2.2
"""Half width of the network's picture; the circle has radius 1, names stand outside."""
NODE_PX: Final = (16.0, 46.0)
AXIS_NEAR: Final = 0.3
"""Closer to the vertical axis than this, a name stands above or below its node."""
ROW_PX: Final = 30
PRESET: Final = "incidence_preset_per_100k"
KEPT: Final = "kept"
NO_AGREEMENT: Final = "no agreement"


def draw_network(result: FlowResult) -> "Figure":
    """Draw platforms on a circle, their size by cases, with links by agreement (S100, S200)."""
    from plotly.graph_objects import Scatter

    links = agreements(result)
    missing = sum(not agreed for agreed in links.values())
    text = f"{counted(len(result.platforms), 'platform')}, {counted(len(links), 'link')}"
    if links:
        text += ", all with an agreement" if not missing else f", {missing} without an agreement"
    title = titled(text, simulated=marks_of(result).network)
    if not result.platforms:
        return wordless(title, "No platform is registered.")
    names = sorted({one.platform for one in result.platforms} | {i for pair in links for i in pair})
    turn = 2 * math.pi / len(names)
    place = {
        name: (math.sin(i * turn), math.cos(i * turn)) if len(names) > 1 else (0.0, 0.0)
        for i, name in enumerate(names)
    }
    figure = new_figure(title, height=440)
    for agreed, name, dash, color in (
        (True, "agreement", "solid", GREEN),
        (False, NO_AGREEMENT, "dash", VERMILION),
    ):
        ends = [(place[a], place[b]) for (a, b), has in links.items() if has is agreed]
        if ends:
            line = {"color": color, "width": 1.6, "dash": dash}
            figure.add_trace(
                Scatter(
                    x=[x for (p, q) in ends for x in (round(p[0], 4), round(q[0], 4), None)],
                    y=[y for (p, q) in ends for y in (round(p[1], 4), round(q[1], 4), None)],
                    mode="lines",
                    line=line,
                    opacity=0.55,
                    name=name,
                    hoverinfo="skip",
                )
            )
    figure.add_trace(_nodes(result, place))
    figure.update_xaxes(visible=False, range=[-REACH, REACH])
    figure.update_yaxes(visible=False, range=[-1.35, 1.35])
    return figure


def draw_tag_mix(result: FlowResult) -> "Figure":
    """Draw what each platform's cases are about: the vector of its tag (S200)."""
    from plotly.graph_objects import Heatmap

    tagged = [(one.platform, one.tag.mix) for one in result.platforms if one.tag and one.tag.mix]
    weight: Counter[str] = Counter()
    for _, mix in tagged:
        weight.update(mix)
    kept = [category for category, _ in weight.most_common(CATEGORIES_MAX)]
    text = "What each platform's cases are about, in per cent"
    if len(weight) > len(kept):
        text += f": the {len(kept)} largest of {len(weight)} categories"
    title = titled(text, simulated=marks_of(result).cases)
    if not tagged:
        return wordless(title, "No platform has a tag yet.")
    names = [cut_middle(name, 18) for name, _ in tagged]
    rows = [plain(short_category(category)) for category in kept]
    values = [[round(100 * mix.get(category, 0.0), 1) for _, mix in tagged] for category in kept]
    figure = new_figure(title, height=130 + ROW_PX * len(kept))
    figure.add_trace(
        Heatmap(
            z=values,
            zmin=0,
            zmax=max(map(max, values)),
            customdata=[[f"{name}<br>{row}" for name in names] for row in rows],
            text=[[f"{share:.0f}" if share > 0.5 else "" for share in row] for row in values],
            texttemplate="%{text}",
            colorscale=HEAT,
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="%{customdata}: %{z} % of the cases<extra></extra>",
        )
    )
    figure.update_xaxes(**name_ticks(names))
    figure.update_yaxes(autorange="reversed", **name_ticks(rows))
    return figure


def draw_incidence(result: FlowResult) -> "Figure":
    """Draw the lowest incidences of each platform with their 95 % intervals (S310-S330).

    Drawn is the median. Classes with the same number of cases and the same prior have the same one:
    they are one point, as large as they are many.
    """
    n_kept = sum(one.reason == KEPT for p in result.platforms for one in p.screening.classes)
    n_all = sum(len(platform.screening.classes) for platform in result.platforms)
    text = f"{n_kept:,} of {counted(n_all, 'class', 'classes')} are rare by both screenings"
    title = titled(text, simulated=marks_of(result).screening)
    levels = {one.platform: _levels(one) for one in result.platforms}
    if not any(levels.values()):
        return wordless(title, "No class has an incidence: no case, or no population at risk.")
    figure = new_figure(title, height=430)
    groups: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for position, found in enumerate(levels.values()):
        for step, classes in enumerate(found):
            x = position + (step + 0.5 - len(found) / 2) * 0.8 / LEVELS_MAX
            groups[classes[0].reason == KEPT].append(_level_point(classes, x))
    for kept, points in groups.items():
        if points:
            figure.add_trace(_level_trace(points, kept=kept))
    preset = result.plan.settings.get(PRESET, "")
    try:
        limit = float(preset)
    except ValueError:
        limit = 0.0
    if limit > 0:
        ends = [-0.5, len(levels) - 0.5]
        line = {"color": VERMILION, "dash": "dot", "width": 1.8}
        name = f"preset of the second screening, {number(limit)}"
        figure.add_scatter(x=ends, y=[limit] * 2, mode="lines", line=line, name=name)
    figure.update_xaxes(**name_ticks([cut_middle(name, 18) for name in levels]))
    shown = [row for found in levels.values() for classes in found for row in classes]
    ticks = log_ticks(
        min(row.incidence_low or row.middle for row in shown),
        max(row.incidence_high for row in shown),
        decades_fine=4,
    )
    figure.update_yaxes(type="log", title_text="new cases per 100,000 person-years", **ticks)
    return figure


def draw_deliveries(result: FlowResult) -> "Figure":
    """Draw how many cases went from each platform to each other one (S900, S1000)."""
    from plotly.graph_objects import Heatmap

    totals = totals_of(result)
    what = counted(totals.deliveries, "delivery", "deliveries")
    text = f"{totals.delivered:,} of {what} of cases have arrived"
    title = titled(text, simulated=marks_of(result).decisions)
    names = [one.platform for one in result.platforms]
    if len(names) < 2:
        return wordless(title, "There are not two platforms that could share.")
    barred = {pair for pair, agreed in agreements(result).items() if not agreed}
    linked = set(agreements(result))
    arrived: Counter[tuple[str, str]] = Counter()
    for platform in result.platforms:
        ends = (one.peer for one in case_deliveries(platform) if one.state == "delivered")
        arrived.update((platform.platform, peer) for peer in ends)

    def cell(sender: str, receiver: str) -> tuple[int | None, str, str]:
        pair = (min(sender, receiver), max(sender, receiver))
        count = arrived[sender, receiver]
        if sender == receiver:
            return None, "", "itself"
        if pair in barred and not count:
            return None, "✕", NO_AGREEMENT
        if pair not in linked and not count:
            return None, "·", "not linked"
        return count, f"{count:,}", f"{count:,} delivered"

    cells = [[cell(sender, receiver) for receiver in names] for sender in names]
    ticks = name_ticks([cut_middle(name, 18) for name in names])
    figure = new_figure(title, height=190 + ROW_PX * len(names))
    figure.add_trace(
        Heatmap(
            z=[[one[0] for one in row] for row in cells],
            customdata=[
                [f"{sender} to {names[x]}: {one[2]}" for x, one in enumerate(row)]
                for sender, row in zip(names, cells, strict=True)
            ],
            zmin=0,
            zmax=max([1, *arrived.values()]),
            colorscale=HEAT,
            showscale=False,
            xgap=3,
            ygap=3,
            hoverongaps=False,
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    for y, row in enumerate(cells):
        for x, one in enumerate(row):
            if one[1]:
                figure.add_annotation(x=x, y=y, text=one[1], showarrow=False)
    figure.update_xaxes(title_text="receiver", **ticks)
    figure.update_yaxes(title_text="sender", autorange="reversed", **ticks)
    return figure


def _nodes(result: FlowResult, place: dict[str, tuple[float, float]]) -> Any:  # noqa: ANN401 - plotly is not typed
    from plotly.graph_objects import Scatter

    counts = {one.platform: len(one.screening.cases) for one in result.platforms}
    rare = {one.platform: len(one.screening.rare) for one in result.platforms}
    most = max(counts.values(), default=0) or 1
    small, large = NODE_PX
    return Scatter(
        x=[round(x, 4) for x, _ in place.values()],
        y=[round(y, 4) for _, y in place.values()],
        mode="markers+text",
        marker={
            "size": [
                round(small + (large - small) * math.sqrt(counts.get(name, 0) / most), 1)
                for name in place
            ],
            "color": BLUE,
            "opacity": 1,
            "line": {"width": 0},
        },
        text=[cut_middle(name, 18) for name in place],
        textposition=[_side(x, y) for x, y in place.values()],
        customdata=[[counts.get(name, 0), rare.get(name, 0)] for name in place],
        hovertemplate="%{text}: %{customdata[0]:,} cases, %{customdata[1]:,} rare<extra></extra>",
        name="platform, its area by cases",
        cliponaxis=False,
    )


def _side(x: float, y: float) -> str:
    """Say on which side of a node its name stands: away from the middle."""
    if abs(x) < AXIS_NEAR:
        return "top center" if y >= 0 else "bottom center"
    return "middle right" if x > 0 else "middle left"


def _levels(platform: PlatformResult) -> list[list[ClassSummary]]:
    """Group the classes of a platform by incidence and outcome, lowest first."""
    groups: dict[tuple[float, bool], list[ClassSummary]] = defaultdict(list)
    for one in platform.screening.classes:
        if one.middle > 0:
            groups[one.middle, one.reason != KEPT].append(one)
    return [groups[key] for key in sorted(groups)][:LEVELS_MAX]


def _level_point(classes: list[ClassSummary], x: float) -> dict[str, Any]:
    first = classes[0]
    names = "<br>".join(plain(one.label or one.class_id) for one in classes[:3])
    more = f"<br>and {len(classes) - 3} more" if len(classes) > 3 else ""
    return {
        "x": round(x, 4),
        "y": float(f"{first.middle:.5g}"),
        "up": float(f"{first.incidence_high - first.middle:.5g}"),
        "down": float(f"{first.middle - first.incidence_low:.5g}"),
        "size": round(min(7 + 2 * math.sqrt(len(classes)), 26), 1),
        "text": f"{counted(len(classes), 'class', 'classes')} with "
        f"{counted(first.n_cases, 'case')} each<br>{number(first.middle)} "
        f"({number(first.incidence_low)}–{number(first.incidence_high)})<br>{names}{more}",
    }


def _level_trace(points: list[dict[str, Any]], *, kept: bool) -> Any:  # noqa: ANN401 - plotly is not typed
    from plotly.graph_objects import Scatter

    color = BLUE if kept else GREY
    return Scatter(
        x=[point["x"] for point in points],
        y=[point["y"] for point in points],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [point["up"] for point in points],
            "arrayminus": [point["down"] for point in points],
            "color": color,
            "thickness": 1.2,
            "width": 0,
        },
        mode="markers",
        marker={
            "size": [point["size"] for point in points],
            "color": color if kept else RULE,
            "symbol": "circle" if kept else "square",
            "line": {"color": color, "width": 1.4},
        },
        text=[point["text"] for point in points],
        hovertemplate="%{text}<extra></extra>",
        name="rare: kept by both screenings" if kept else "not rare",
    )
