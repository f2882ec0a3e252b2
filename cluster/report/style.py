"""How figures look: a palette that colour-blind readers can tell apart, and a quiet layout.

The text and grid colours of a figure are left to the page, which has a light and a dark form.
"""

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cluster.contracts.result import SIMULATED

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
GREY: Final = "#8A929C"
"""After Okabe and Ito; the grey stands for what was held back."""
SHADE: Final = "rgba(0,158,115,0.13)"
RULE: Final = "rgba(128,138,150,0.28)"
HEAT: Final = [[0.0, "rgba(0,114,178,0.03)"], [1.0, "rgba(0,114,178,0.62)"]]
"""Pale enough at the top that dark and light text both stay readable on it."""
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
MARK: Final = f" · {SIMULATED}"
LABEL_LENGTH_MAX: Final = 34


def plain(text: str, length_max: int = LABEL_LENGTH_MAX) -> str:
    """Make a text from outside safe to draw, for plotly reads some HTML tags; cut it if long."""
    cut = text if len(text) <= length_max else f"{text[: length_max - 1].rstrip()}…"
    return html.escape(cut, quote=False)


def cut_middle(text: str, length_max: int) -> str:
    """Make an id safe to draw; a long one keeps its beginning and its end, which tell it apart."""
    if len(text) <= length_max:
        return plain(text, length_max)
    tail = length_max // 2
    return html.escape(f"{text[: length_max - tail - 1]}…{text[-tail:]}", quote=False)


def name_ticks(names: Sequence[str]) -> dict[str, Any]:
    """Return ticks 0, 1, 2 ... with names; equal names keep places of their own."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "ticklabeloverflow": "allow",
        "showgrid": False,
    }


def short_category(category: str) -> str:
    """Drop what the names of most organ systems begin with."""
    name = category.removeprefix("Abnormality of ").removeprefix("the ")
    return name[:1].upper() + name[1:]


def titled(text: str, *, simulated: bool) -> str:
    """Return the title of a figure, with the mark where it shows simulated numbers."""
    return text + MARK if simulated else text


def new_figure(title: str, traces: Sequence[Any] = (), *, height: int = 380) -> "Figure":
    """Return a figure in the house's style."""
    from plotly.graph_objects import Figure, layout

    axis: dict[str, Any] = {
        "gridcolor": RULE,
        "linecolor": RULE,
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        "title": {"standoff": 10, "font": {"size": 13}},
    }
    return Figure(
        data=list(traces),
        layout={
            "template": layout.Template(),
            "title": {"text": title, "x": 0, "xref": "paper", "font": {"size": 15}},
            "height": height,
            "font": {"family": FONT, "size": 13, "color": "#2b3440"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 48, "r": 16, "t": 56, "b": 48},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "hoverlabel": {"bgcolor": "#1f2933", "font": {"color": "#ffffff", "family": FONT}},
            "dragmode": False,
            "xaxis": axis,
            "yaxis": axis,
        },
    )


def wordless(title: str, words: str) -> "Figure":
    """Return a figure that has nothing to draw, and says so."""
    figure = new_figure(title, height=150)
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[0, 1])
    figure.add_annotation(x=0.5, y=0.5, text=words, showarrow=False, font={"size": 14})
    return figure


def log_ticks(low: float, high: float, decades_fine: int) -> dict[str, list[Any]]:
    """Return ticks at 1, 2 and 5 of each decade, or at 1 only where there are too many decades."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= decades_fine else (1,)
    values = [step * 10.0**decade for decade in range(first, last + 1) for step in steps]
    return {"tickvals": values, "ticktext": [f"{value:,.10g}" for value in values]}


def shade_range(figure: "Figure", low: float, high: float, *, axis: str) -> None:
    """Shade a range of an axis, ``x`` or ``y``, and keep its ends inside the picture."""
    draw = figure.add_vrect if axis == "x" else figure.add_hrect
    ends = {"x0": low, "x1": high} if axis == "x" else {"y0": low, "y1": high}
    draw(**ends, fillcolor=SHADE, line_width=0, layer="below")


def counted(n: int, one: str, many: str = "") -> str:
    """Write a number with its noun in the right form."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
