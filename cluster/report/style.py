"""How figures look: a palette that colour-blind readers can tell apart, and a quiet layout.

The text and grid colours of a figure are left to the page, which has a light and a dark form.
"""

import html
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
        "title": {"standoff": 10},
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


def shade_range(figure: "Figure", low: float, high: float, *, axis: str) -> None:
    """Shade a range of an axis, ``x`` or ``y``, and keep its ends inside the picture."""
    draw = figure.add_vrect if axis == "x" else figure.add_hrect
    ends = {"x0": low, "x1": high} if axis == "x" else {"y0": low, "y1": high}
    draw(**ends, fillcolor=SHADE, line_width=0, layer="below")


def counted(n: int, one: str, many: str = "") -> str:
    """Write a number with its noun in the right form."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
