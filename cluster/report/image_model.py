"""An image model and how good it is: tables for the terminal, and one HTML file with its figures.

The page needs nothing else: no network, no server, no other file. It shows images, for mistakes
are understood by looking at them; names of files and of persons never reach it.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table

from cluster.contracts.image_models import (
    NOT_A_DIAGNOSIS,
    Bundle,
    ClassFigures,
    ImageMetrics,
    Interval,
)
from cluster.contracts.images import DataSetCard, Split
from cluster.contracts.trend import ReliabilityBin
from cluster.imaging.shortcut import BorderCheck
from cluster.report.image_model_figures import (
    draw_accuracies,
    draw_distances,
    draw_losses,
    draw_reliability,
)
from cluster.report.readings import instant
from cluster.report.style import counted
from cluster.report.text import literal

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TEMPLATE: Final = "image_model.html.j2"
WIDTH: Final = 110
"""Columns that the tables need where the console is not a terminal."""
MISTAKES_MAX: Final = 24
STAGES: Final = {"head": "The head alone, on cached features", "fine-tuning": "Fine-tuning"}
PARTS: Final[dict[Split, str]] = {
    "training": "training part of the set, so every figure flatters",
    "validation": "validation part of the set, by which it was also chosen, so every figure "
    "flatters a little",
    "test": "test part of the set, which nothing was learned from or chosen by",
}
CLASS_HEADS: Final = ("class", "images", "sensitivity (95 %)", "specificity (95 %)", "AUROC")
VARIANT_HEADS: Final = (
    "file",
    "megabytes",
    "validation accuracy",
    "answers of fp32",
    "largest change of a probability",
    "refuses above",
)
MEGABYTE: Final = 1_000_000
PNG: Final = b"\x89PNG"
HIT: Final = "0,114,178"
MISS: Final = "213,94,0"
"""Colours of the confusion table, as parts of red, green and blue."""
OPACITY_MAX: Final = 0.6
"""Of a cell: its number stays readable in light and dark."""


@dataclass(frozen=True)
class Answer:
    """An image with what the model said of it; images are small PNG or JPEG files."""

    picture: bytes
    true: str
    """Label of the class that it is of."""
    decided: str
    """Label of the class that was decided for."""
    probability: float
    """Of the decided class, 0 to 1."""
    heat: bytes = b""
    """The image with what spoke for the decided class laid over it; empty where not asked."""


@dataclass(frozen=True)
class ModelReport:
    """What the page is made of. All beside the bundle may be missing, and its part is left out."""

    bundle: Bundle
    version: str = ""
    """SHA-256 of ``bundle.json``."""
    scored_on: Split = "test"
    """The part of the set that the figures and answers are of."""
    data_set: DataSetCard | None = None
    """Of the set that it was trained on; only counts are shown."""
    mistakes: tuple[Answer, ...] = ()
    """Wrong answers; those that were given most surely are shown first."""
    saliency: tuple[Answer, ...] = ()
    """Some answers with their heat, right and wrong ones."""
    reliability: tuple[ReliabilityBin, ...] = ()
    """By the highest probability, on the part that was scored."""
    distances: tuple[float, ...] = ()
    """Of the validation images, by the fp32 file."""
    border: BorderCheck | None = None
    """Whether the edge of the training images gives the class away."""


def render_card(bundle: Bundle, console: Console) -> None:
    """Write what a person should know of a model, in short; texts are shown literally."""
    card = bundle.card
    asked = console.width
    console.width = asked if console.is_terminal else max(asked, WIDTH)
    console.print(literal(f"{card.name}: {origin_line(bundle)}", style="bold"), soft_wrap=True)
    console.print(literal(verdict(card.metrics)), soft_wrap=True)
    if card.metrics is not None:
        console.print(literal("; ".join(more_figures(card.metrics)) + "."), soft_wrap=True)
        console.print(_table(CLASS_HEADS, [class_row(one) for one in card.metrics.classes]))
    console.print(_table(VARIANT_HEADS, variant_rows(bundle)))
    for limit in card.limits:
        console.print(literal(f"- {limit}"), soft_wrap=True)
    console.print(literal(f"Licence: {card.licence}. {card.attribution}".strip()), soft_wrap=True)
    console.print(NOT_A_DIAGNOSIS)
    console.width = asked


def render_page(report: ModelReport) -> str:
    """Return the report as one HTML document; the same report gives the same bytes."""
    from plotly.offline import get_plotlyjs

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "counted": counted,
        "interval": interval_text,
        "percent": percent,
        "source": picture_source,
        "instant": instant,
    }
    template = files("cluster.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    bundle, metrics = report.bundle, report.bundle.card.metrics
    stages = [
        {"name": STAGES[stage], "epochs": list(epochs)}
        for stage, epochs in groupby(bundle.card.epochs, lambda one: one.stage)
    ]
    mistakes = sorted(report.mistakes, key=lambda one: -one.probability)
    return environment.from_string(template).render(
        report=report,
        bundle=bundle,
        card=bundle.card,
        metrics=metrics,
        origin=origin_line(bundle),
        verdict=verdict(metrics),
        weakest=weakest_line(metrics),
        scored_on=PARTS[report.scored_on],
        labels=label_rows(report),
        confusion=confusion_rows(metrics),
        class_heads=CLASS_HEADS,
        class_rows=[class_row(one) for one in metrics.classes] if metrics else [],
        variant_heads=VARIANT_HEADS,
        variant_rows=variant_rows(bundle),
        mistakes=mistakes[:MISTAKES_MAX],
        border=border_line(report.border),
        stages=stages,
        drawings=_drawings(report, [one["epochs"] for one in stages]),
        caution=NOT_A_DIAGNOSIS,
        plotly_js=get_plotlyjs(),
    )


def origin_line(bundle: Bundle) -> str:
    """Say what a model is, and where it comes from."""
    card, size = bundle.card, bundle.preprocessing.size
    classes = counted(len(bundle.labels), "class", "classes")
    made = f"made {instant(card.made_at)} by {card.made_by}"
    return f"{classes}, {card.backbone} at {size} x {size} pixels, {made}"


def verdict(metrics: ImageMetrics | None) -> str:
    """Say in a sentence how much is recognised."""
    if metrics is None:
        return "It was not examined: no images with known classes were at hand."
    one = metrics.accuracy
    return (
        f"Of {counted(metrics.images, 'image')} that it never learned from, it recognised "
        f"{one.hits:,}: {interval_text(one)}."
    )


def weakest_line(metrics: ImageMetrics | None) -> str:
    """Name the class that is missed most often."""
    seen = [one for one in metrics.classes if one.sensitivity.of] if metrics else []
    if not seen:
        return ""
    least = min(seen, key=lambda one: one.sensitivity.share).sensitivity
    names = [one.label for one in seen if one.sensitivity.share == least.share]
    if least.share == 1:
        return "No image of any class was missed."
    if len(names) > 1:
        return f"Missed most often are {', '.join(names)}: each found in {percent(least.share)}."
    return (
        f"Missed most often is {names[0]}: found in {least.hits:,} of {least.of:,}, "
        f"{interval_text(least)}."
    )


def more_figures(metrics: ImageMetrics) -> list[str]:
    """Return the figures beside the accuracy, each in words."""
    auroc = "none" if metrics.macro_auroc is None else f"{metrics.macro_auroc:.3f}"
    return [
        f"AUROC, mean of the classes, {auroc}",
        f"calibration error {metrics.ece:.3f}",
        f"not refused {interval_text(metrics.kept)}",
    ]


def border_line(check: BorderCheck | None) -> str:
    """Say in plain words whether the edge gives the class away."""
    if check is None:
        return ""
    found = (
        f"From the colours at the edge of the training images alone, a linear model tells "
        f"{interval_text(check.accuracy)} of them; without looking it would be "
        f"{percent(check.chance)}."
    )
    if not check.tells:
        return f"{found} So the edge gives nothing away."
    return (
        f"{found} So the edge gives a part of the answer away. Where that comes from how the "
        "images were taken, figures are too good for images from elsewhere: look in the images "
        "below whether the heat lies on what matters."
    )


def class_row(one: ClassFigures) -> list[str]:
    """Return the cells of a class, as in ``CLASS_HEADS``."""
    auroc = "–" if one.auroc is None else f"{one.auroc:.3f}"
    counts = f"{one.sensitivity.of:,}"
    return [
        one.label,
        counts,
        interval_text(one.sensitivity),
        interval_text(one.specificity),
        auroc,
    ]


def variant_rows(bundle: Bundle) -> list[list[str]]:
    """Return the cells of each file of the model, as in ``VARIANT_HEADS``."""
    return [
        [
            one.name,
            f"{one.size / MEGABYTE:.1f}",
            "–" if one.accuracy is None else percent(one.accuracy),
            percent(one.agreement),
            f"{one.probability_change_max:.3f}",
            "–" if one.outside_above is None else f"{one.outside_above:.3g}",
        ]
        for one in bundle.variants
    ]


def label_rows(report: ModelReport) -> list[dict[str, Any]]:
    """Return what is known of each class: its disease, images, and operating point."""
    counts = {one.name: one for one in report.data_set.classes} if report.data_set else {}
    return [{"label": one, "counts": counts.get(one.label)} for one in report.bundle.labels]


def confusion_rows(metrics: ImageMetrics | None) -> list[dict[str, Any]]:
    """Return for each true class the decided ones, with the colour of each cell."""
    if metrics is None:
        return []
    rows = []
    for place, (one, counts) in enumerate(zip(metrics.classes, metrics.confusion, strict=True)):
        shares = [n / max(sum(counts), 1) for n in counts]
        cells = [
            {"n": n, "share": share, "color": _cell_color(share, is_hit=decided == place)}
            for decided, (n, share) in enumerate(zip(counts, shares, strict=True))
        ]
        rows.append({"label": one.label, "cells": cells, "n": sum(counts)})
    return rows


def interval_text(one: Interval) -> str:
    """Write a share with its interval."""
    if not one.of:
        return "no images"
    return f"{percent(one.share)} ({100 * one.low:.1f}–{100 * one.high:.1f})"


def percent(share: float) -> str:
    """Write a share of 0 to 1 in per cent."""
    return f"{100 * share:.1f} %"


def picture_source(picture: bytes) -> str:
    """Return an image so that the page has it inside."""
    kind = "png" if picture.startswith(PNG) else "jpeg"
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"


def _cell_color(share: float, *, is_hit: bool) -> str:
    """Colour hits by their share, and mistakes more strongly, for few of them matter."""
    opacity = OPACITY_MAX * (share if is_hit or not share else 0.2 + 0.8 * share**0.5)
    return f"rgba({HIT if is_hit else MISS},{opacity:.3f})"


def _drawings(report: ModelReport, stages: Sequence[Any]) -> dict[str, Any]:
    """Draw what there is, by the name that it has on the page."""
    figures: dict[str, Figure] = {}
    for place, epochs in enumerate(stages):
        figures[f"loss-{place}"] = draw_losses(epochs)
        figures[f"accuracy-{place}"] = draw_accuracies(epochs)
    if report.reliability:
        figures["reliability"] = draw_reliability(report.reliability)
    if report.distances:
        variant = report.bundle.variant("fp32")
        limit = variant.outside_above if variant else None
        figures["distances"] = draw_distances(report.distances, limit)
    return {name: _drawing(figure) for name, figure in figures.items()}


def _drawing(figure: "Figure") -> dict[str, Any]:
    figure.update_layout(title_text="", margin_t=40)
    drawn = figure.to_plotly_json()
    return {"height": figure.layout.height, "data": drawn["data"], "layout": drawn["layout"]}


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(literal, row))
    return table
