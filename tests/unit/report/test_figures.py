"""Each figure draws the numbers of the result, and says in words where there is nothing to draw."""

import pytest
from flow_results import KEPT, flow_result, platform_result, simulated_accesses, two_platforms

from cluster.contracts.result import SIMULATED
from cluster.report import access_figures, figures
from cluster.report.html import FIGURES
from cluster.report.style import log_ticks


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_or_says_why_not(name: str) -> None:
    """A13: an empty result gives a figure with words, a full one a figure with traces."""
    assert FIGURES[name](flow_result()).data
    for small in (flow_result([]), flow_result([platform_result("lonely")], second=False)):
        figure = FIGURES[name](small)
        assert figure.data or figure.layout.annotations[0].text


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_by_itself_carries_the_mark(name: str) -> None:
    """A5: the title says SIMULATED where the numbers are, also outside of the page."""
    about_cases = {"network", "tag_mix", "incidence"}
    assert SIMULATED not in FIGURES[name](flow_result()).layout.title.text
    title = FIGURES[name](simulated_accesses()).layout.title.text
    assert (SIMULATED in title) is (name not in about_cases)


def test_delivered_cases_stand_in_the_cell_of_sender_and_receiver() -> None:
    """A10: one case of north arrived in east; cells without an agreement are empty and crossed."""
    figure = figures.draw_deliveries(flow_result())
    cells = figure.data[0]
    names = list(figure.layout.xaxis.ticktext)
    assert names == list(figure.layout.yaxis.ticktext)
    at = {(s, r): cells.z[i][j] for i, s in enumerate(names) for j, r in enumerate(names)}
    assert at["north", "east"] == 1
    assert at["east", "north"] == 0
    assert at["north", "south"] is None and at["south", "east"] is None
    crossed = {(names[a.y], names[a.x]) for a in figure.layout.annotations if a.text == "✕"}
    pairs = (("north", "south"), ("east", "south"))
    assert crossed == {way for a, b in pairs for way in ((a, b), (b, a))}


def test_links_are_told_apart_by_their_agreement() -> None:
    """A1: two of three links have no agreement, and are drawn dashed."""
    lines = {t.line.dash: t for t in figures.draw_network(flow_result()).data if t.mode == "lines"}
    assert {dash: len(trace.x) // 3 for dash, trace in lines.items()} == {"solid": 1, "dash": 2}


def test_an_agreement_of_one_way_is_none() -> None:
    """A1: a link counts as agreed only where both ways are."""
    result = flow_result().model_copy(
        update={"links": [("east", "north", True), ("north", "east", False)]}
    )
    title = figures.draw_network(result).layout.title.text
    assert title == "3 platforms, 1 link, 1 without an agreement"


def test_intervals_are_those_of_the_classes() -> None:
    """A2: points and error bars end where the interval of the class ends."""
    kept = next(t for t in figures.draw_incidence(flow_result()).data if "rare: " in t.name)
    (row,) = (one for one in platform_result("north").screening.classes if one.reason == KEPT)
    assert list(kept.y) == pytest.approx([row.middle] * 3)
    low = [y - down for y, down in zip(kept.y, kept.error_y.arrayminus, strict=True)]
    high = [y + up for y, up in zip(kept.y, kept.error_y.array, strict=True)]
    assert low == pytest.approx([row.incidence_low] * 3, rel=1e-3)
    assert high == pytest.approx([row.incidence_high] * 3, rel=1e-3)


def test_every_index_is_counted_once() -> None:
    """A10: the bars add up to the decisions, and the shade lies over the preset range."""
    figure = access_figures.draw_indexes(flow_result())
    first, second = figure.data
    assert sum(filter(None, first.y)) == 3
    assert sum(filter(None, second.y)) == 2
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(0.3, 1.0)]


def test_parts_add_up_to_the_propagation_index() -> None:
    """A8: the stacked bar of a case is as long as its index."""
    bars = access_figures.draw_parts(flow_result()).data
    assert [sum(column) for column in zip(*(bar.x for bar in bars), strict=True)] == pytest.approx(
        [0.234] * 3
    )


def test_long_names_do_not_fall_together() -> None:
    """A8: cases and platforms whose names differ only at the end keep rows of their own."""
    long = "a-very-long-name-of-a-platform-number-"
    result = flow_result([platform_result(f"{long}{i}") for i in range(3)])
    parts = access_figures.draw_parts(result)
    assert list(parts.data[0].x) == [0.2] * 3
    assert len(set(parts.data[0].y)) == len(set(parts.layout.yaxis.ticktext)) == 3
    sent = figures.draw_deliveries(result)
    assert len(sent.data[0].z) == len(set(sent.layout.xaxis.ticktext)) == 3


def test_a_tag_is_not_plotly_markup() -> None:
    """A13: a name with tags is drawn as it is written."""
    shown = figures.draw_incidence(flow_result(two_platforms(label="<b>x</b>"))).data[0].text
    assert "&lt;b&gt;x&lt;/b&gt;" in shown[0] and "<b>" not in "".join(shown)


def test_logarithmic_ticks_enclose_their_range() -> None:
    """A2: ticks of a small range go by 1, 2 and 5, those of a large one by decades."""
    fine = log_ticks(0.02, 3.0, 3)
    assert fine["ticktext"][:4] == ["0.01", "0.02", "0.05", "0.1"]
    coarse = log_ticks(0.0005, 700.0, 4)["tickvals"]
    assert coarse == pytest.approx([10.0**power for power in range(-4, 4)])
