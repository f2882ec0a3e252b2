"""A page of sections, each with texts, a figure and a table, as one HTML file.

The file needs nothing else: no network, no server, no other file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, StrictUndefined
from rich import box
from rich.table import Table
from rich.text import Text

from cluster.report.text import literal

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TEMPLATE: Final = "sections.html.j2"


@dataclass(frozen=True)
class Rows:
    """A table."""

    caption: str
    heads: Sequence[str]
    cells: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A part of a page."""

    title: str
    texts: Sequence[str] = ()
    caption: str = ""
    """Of the figure."""
    figure: "Figure | None" = None
    rows: Rows | None = None


def render_sections(title: str, lead: str, answer: str, sections: Sequence[Section]) -> str:
    """Return a page; the same parts give the same bytes.

    Args:
        title: its heading.
        lead: what the figures are made on.
        answer: what a hurried reader takes with him.
        sections: the rest.
    """
    from plotly.offline import get_plotlyjs

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("cluster.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    drawings = [None if one.figure is None else _drawing(one.figure) for one in sections]
    return environment.from_string(template).render(
        title=title,
        lead=lead,
        answer=answer,
        sections=sections,
        drawings=drawings,
        plotly_js=get_plotlyjs(),
    )


def terminal_table(rows: Rows) -> Table:
    """Return a table for the terminal; intervals stand below their figures, nothing is cut."""
    table = Table(
        title=literal(rows.caption, style="table.title"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for place, head in enumerate(rows.heads):
        table.add_column(head, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows.cells:
        table.add_row(literal(row[0]), *map(_figure, row[1:]))
    return table


def _figure(cell: str) -> Text:
    value, bracket, interval = cell.partition(" (")
    return Text("\n").join([literal(value), literal(f"({interval}")]) if bracket else literal(cell)


def _drawing(figure: "Figure") -> dict[str, Any]:
    figure.update_layout(title_text="", margin_t=40)
    drawn = figure.to_plotly_json()
    return {"height": figure.layout.height, "data": drawn["data"], "layout": drawn["layout"]}
