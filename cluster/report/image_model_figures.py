"""The figures of a report on an image model: curves of training, reliability, and distances."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from cluster.contracts.image_models import Epoch
from cluster.contracts.trend import ReliabilityBin
from cluster.report.style import BLUE, GREEN, GREY, VERMILION, new_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DISTANCE_BINS: Final = 40
DOT_MIN: Final = 5
DOT_MAX: Final = 22
"""Pixels: a point of the reliability diagram is as large as its images are many."""


def draw_losses(epochs: Sequence[Epoch]) -> "Figure":
    """Draw the losses of one stage by epoch."""
    from plotly.graph_objects import Scatter

    figure = new_figure("", height=300)
    numbers = list(range(1, len(epochs) + 1))
    curves = (
        ("training", GREY, [one.training_loss for one in epochs]),
        ("validation", BLUE, [one.validation_loss for one in epochs]),
    )
    for name, color, losses in curves:
        figure.add_trace(
            Scatter(
                x=numbers,
                y=losses,
                mode=_mode(epochs),
                name=name,
                line={"color": color, "width": 2},
                hovertemplate=f"epoch %{{x}}: {name} loss %{{y:.4f}}<extra></extra>",
            )
        )
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="loss", rangemode="tozero")
    return figure


def draw_accuracies(epochs: Sequence[Epoch]) -> "Figure":
    """Draw the share of validation images recognised in one stage by epoch."""
    from plotly.graph_objects import Scatter

    figure = new_figure("", height=300)
    figure.add_trace(
        Scatter(
            x=list(range(1, len(epochs) + 1)),
            y=[100 * one.validation_accuracy for one in epochs],
            mode=_mode(epochs),
            showlegend=False,
            line={"color": GREEN, "width": 2},
            hovertemplate="epoch %{x}: %{y:.1f} %<extra></extra>",
        )
    )
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="validation images recognised, %")
    return figure


def draw_reliability(bins: Sequence[ReliabilityBin]) -> "Figure":
    """Draw how often the likeliest class was right against the probability that was stated."""
    from plotly.graph_objects import Scatter

    figure = new_figure("", height=430)
    figure.add_trace(
        Scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            line={"color": GREY, "dash": "dot", "width": 1.4},
            name="as stated",
            hoverinfo="skip",
        )
    )
    most = max((one.n for one in bins), default=1)
    figure.add_trace(
        Scatter(
            x=[100 * one.stated for one in bins],
            y=[100 * one.found for one in bins],
            customdata=[one.n for one in bins],
            mode="lines+markers",
            name="found, larger for more images",
            line={"color": BLUE, "width": 1.4},
            marker={
                "color": BLUE,
                "opacity": 1,
                "size": [DOT_MIN + (DOT_MAX - DOT_MIN) * (one.n / most) ** 0.5 for one in bins],
            },
            hovertemplate="%{x:.0f} % stated, %{y:.0f} % right, %{customdata:,} images"
            "<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 104], title_text="highest probability, %")
    figure.update_yaxes(range=[-4, 104], title_text="share that was right, %")
    return figure


def draw_distances(distances: Sequence[float], outside_above: float | None) -> "Figure":
    """Draw how far images lie from what the model knows, and from where it refuses them."""
    from plotly.graph_objects import Bar

    figure = new_figure("", height=330)
    edges = distance_edges(distances, outside_above)
    counts = np.histogram(distances, edges)[0]
    middles = (edges[:-1] + edges[1:]) / 2
    is_kept = middles < (np.inf if outside_above is None else outside_above)
    for name, color, chosen in (("kept", BLUE, is_kept), ("refused", VERMILION, ~is_kept)):
        figure.add_trace(
            Bar(
                x=middles[chosen].tolist(),
                y=counts[chosen].tolist(),
                width=float(edges[1] - edges[0]),
                name=name,
                showlegend=outside_above is not None,
                marker={"color": color},
                hovertemplate="%{y:,} images at %{x:.3g}<extra></extra>",
            )
        )
    if outside_above is not None:
        figure.add_vline(x=outside_above, line={"color": GREY, "width": 1.6, "dash": "dot"})
    figure.update_xaxes(title_text="distance", rangemode="tozero")
    figure.update_yaxes(title_text="images")
    return figure


def distance_edges(distances: Sequence[float], outside_above: float | None) -> NDArray[np.floating]:
    """Return equal bins from 0 to the farthest image, of which one begins at the threshold."""
    farthest = max([*distances, 1.1 * (outside_above or 0.0)], default=1.0) or 1.0
    width = farthest / DISTANCE_BINS
    if outside_above:
        width = outside_above / max(1, round(outside_above / width))
    return width * np.arange(int(np.ceil(farthest / width)) + 1)


def _mode(epochs: Sequence[Epoch]) -> str:
    """A single epoch is no line."""
    return "lines" if len(epochs) > 1 else "markers"
