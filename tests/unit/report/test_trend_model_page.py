"""What a trend model's card looks like on a page and on the terminal."""

import io
import json
import re

import pytest
from plotly.offline import get_plotlyjs
from rich.console import Console

from cluster.contracts.trend import TrendCard
from cluster.report.trend_model import (
    HEADS,
    SOURCE_HEADS,
    bin_text,
    draw_curve,
    draw_errors,
    draw_gain,
    draw_reliability,
    figure_rows,
    render_card,
    render_page,
    source_rows,
    summary,
    verdict,
)
from tests.unit.report.trend_cards import a_shape_card, a_trend_card

THREE = a_trend_card(
    a_shape_card("fine", better=0.01),
    a_shape_card("even <b>", better=0.0),
    a_shape_card("poor", better=-0.01),
)


def told(card: TrendCard) -> str:
    screen = Console(file=io.StringIO(), width=80)
    render_card(card, screen)
    assert screen.width == 80
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_the_answer_follows_from_the_interval() -> None:
    """A6: better or worse is said only where the interval of the difference leaves zero out."""
    assert summary(THREE) == (
        "The network is better than the straight line for fine; neither surely better nor surely "
        "worse for even <b>; worse for poor."
    )
    better, even, worse = map(verdict, THREE.shapes)
    assert better.startswith("The network is better than") and "2 % lower" in better
    assert "neither surely better nor surely worse" in even
    assert worse.startswith("The network is worse than") and "2 % higher" in worse
    assert "(MSLE -0.0100, 95 % interval -0.0150 to -0.0050)" in better


def test_what_was_not_compared_is_said_so() -> None:
    """A6: no interval, or no linear model, gives no answer and no point in the figure."""
    without = [a_shape_card(better_than_linear=None), a_shape_card(baselines={})]
    for shape in without:
        assert "not compared" in verdict(shape)
    assert not draw_gain(a_trend_card(*without)).data


def test_the_table_has_a_dash_for_what_is_not_known() -> None:
    """A6: network first, then baselines, best known first; what is not measured is no zero."""
    rows = figure_rows(a_shape_card(), len(HEADS))
    assert [row[0] for row in rows] == ["network", "linear model", "persistence"]
    assert rows[1][1:3] == ["0.500 (0.400–0.600)", "0.700"]
    assert rows[2][2:] == ["–"] * 5
    assert all(len(row) == len(HEADS) for row in rows)


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((7.0, 7.0), "7 days"),
        ((1.75, 28.0), "1.75 to 28 days"),
        ((20 / 1440, 20 / 1440), "20 minutes"),
        ((0.5, 0.5), "720 minutes"),
    ],
)
def test_lengths_of_bins_are_in_their_unit(ends: tuple[float, float], text: str) -> None:
    """A6: minutes below a day, days above."""
    assert bin_text(*ends) == text


def test_the_windows_that_it_is_for_are_listed() -> None:
    """A7: each shape with its bins, length, numbers, threshold and share of the correction."""
    (row,) = source_rows(a_trend_card())
    assert row == ["north", "8", "8", "1.75 days", "50", "40", "31", "50 %"]
    assert len(row) == len(SOURCE_HEADS)


def test_the_figures_show_the_numbers() -> None:
    """A6: gain in per cent with its interval, errors, chances in per cent, losses by epoch."""
    gain = draw_gain(THREE)
    assert [trace.x[0] for trace in gain.data] == pytest.approx([2.0, 0.0, -2.0])
    assert gain.data[0].error_x.array[0] == pytest.approx(1.0)
    assert "&lt;b&gt;" in gain.layout.yaxis.ticktext[1]
    errors = draw_errors(THREE.shapes[0])
    assert [trace.x[0] for trace in errors.data] == pytest.approx([0.49, 0.5, 4.0])
    stated = draw_reliability(a_trend_card()).data[1]
    assert (list(stated.x), list(stated.y), list(stated.customdata)) == ([2, 81], [0, 80], [45, 5])
    training, validation = draw_curve(a_trend_card()).data
    assert (list(training.y), list(validation.y)) == ([1.0, 0.5], [1.5, 1.25])


def test_an_error_of_nothing_is_drawn() -> None:
    """A6: a perfect forecast has no place on a logarithmic axis, and is shown all the same."""
    none = a_shape_card().held_out.model_copy(update={"msle": 0.0, "msle_interval": (0.0, 0.0)})
    figure = draw_errors(a_shape_card(held_out=none))
    assert figure.layout.xaxis.type != "log" and figure.data[0].x[0] == 0


def test_the_page_needs_nothing_else_and_is_the_same_each_time() -> None:
    """A6: one file, no address to load from, every figure has its place, names are escaped."""
    page = render_page(THREE, "my <file>")
    assert page == render_page(THREE, "my <file>")
    assert "my &lt;file&gt;" in page and "even &lt;b&gt;" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page.replace(get_plotlyjs(), ""))
    assert "default-src 'none'" in page
    marked = re.search(r'<script type="application/json" id="drawings">(.*?)</script>', page)
    assert marked
    drawings = json.loads(marked[1])
    assert {f"plot-{name}" for name in drawings} == set(re.findall(r'id="(plot-[^"]+)"', page))
    assert THREE.dataset_digest in page and THREE.version in page and "Seed 1" in page
    assert "2 epochs" in page


def test_a_run_that_did_not_converge_says_so() -> None:
    """A6: a limit of epochs is no convergence."""
    assert "before it had converged" in render_page(a_trend_card(converged=False))


def test_the_terminal_shows_every_source_and_the_answer() -> None:
    """A6: a table a source, names shown as they are, nothing that steers a terminal."""
    text = told(a_trend_card(a_shape_card("[red]x\x1b[2J"), a_shape_card("other")))
    assert "[red]x" in text and "\x1b" not in text
    assert text.count("MSLE (95 %)") == 2 and text.count("The network is better") == 2
