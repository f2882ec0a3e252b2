"""What an update of the trend model, and a study forward in time, look like."""

import io
import json
import re

from plotly.offline import get_plotlyjs
from rich.console import Console

from cluster.contracts.trend import ShapeChange, UpdateReport
from cluster.contracts.trend_forward import ForwardStudy
from cluster.contracts.trend_update import UpdateArm, UpdateComparison
from cluster.report import trend_forward, trend_update
from cluster.report.sections import Section, render_sections
from tests.unit.report.trend_cards import a_shape_card

MARKUP = "north [red]<b>\x1b[2J"
SHAPE = ShapeChange(
    name=MARKUP, n_obs=2, n_fut=3, n_windows=500, before=0.4, after=0.3, change=(-0.12, -0.08)
)
REPORT = UpdateReport(
    accepted=True,
    reason="better",
    gate="usages",
    n_gated=100,
    n_random=90,
    n_rehearsal=190,
    propagation_preset=0.2,
    forgetting_max=0.015,
    loss_data_mean=1.5,
    old_before=0.3,
    old_after=0.31,
    new_before=0.4,
    new_after=0.3,
    old_change=(0.005, 0.015),
    new_change=(-0.12, -0.08),
    old_shapes=(SHAPE,),
    new_shapes=(SHAPE,),
)
REFUSED = REPORT.model_copy(update={"accepted": False, "reason": "forgets too much: <b>"})


def an_arm(name: str, old: float, new: float) -> UpdateArm:
    return UpdateArm(
        name=name,
        n_learned=190,
        n_rehearsal=19,
        old=0.3 + old,
        old_change=(old - 0.01, old, old + 0.02) if old else (0, 0, 0),
        new=0.4 + new,
        new_change=(new - 0.03, new, new + 0.04) if new else (0, 0, 0),
        seconds=2.5,
    )


COMPARISON = UpdateComparison(
    first="ab" * 32,
    n_old=5000,
    n_new=500,
    seed=3,
    arms=(an_arm("none", 0.0, 0.0), an_arm("naive", 0.08, -0.03), an_arm("product", 0.01, -0.1)),
)
STUDY = ForwardStudy(
    day=1.7e9,
    source="windows<b>.parquet",
    seed=1,
    n_learned=500,
    n_scored=50,
    n_between=3,
    n_without_cut=1,
    n_unlike=0,
    shapes=(a_shape_card(MARKUP), a_shape_card("plain", better=-0.01)),
)


def screen() -> Console:
    return Console(file=io.StringIO(), width=80, markup=False)


def told(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def drawings(page: str) -> list[dict[str, object] | None]:
    found = re.search(r'id="drawings">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def body(page: str) -> str:
    return page.replace(get_plotlyjs(), "")


def test_the_verdict_gives_both_changes_or_the_reason() -> None:
    """A9: gain and rise with their intervals and the bound; refused: nothing is published, why."""
    assert trend_update.verdict(REPORT) == (
        "The second model is published. The error changed by -0.1000 (-0.1200 to -0.0800) on new "
        "windows, and by +0.0100 (+0.0050 to +0.0150) on old ones, where +0.015 was allowed."
    )
    assert trend_update.verdict(REFUSED) == "Nothing is published: forgets too much: <b>."


def test_each_gate_is_told() -> None:
    """A9: who was gated in, how many random others and old ones, and the loss data."""
    texts = {
        gate: trend_update.learned_text(REPORT.model_copy(update={"gate": gate}))
        for gate in ("propagation", "usages", "none")
    }
    assert (
        "100 new windows whose propagation index reaches 0.2 and 90 random" in texts["propagation"]
    )
    assert "in the top quarter by usages" in texts["usages"]
    assert "without a gate" in texts["none"]
    assert all("190 old ones" in text and "1.500" in text for text in texts.values())
    nothing = REPORT.model_copy(update={"n_gated": 0, "n_random": 0, "n_rehearsal": 1})
    assert trend_update.learned_text(nothing).endswith("beside 1 old one.")


def test_the_terminal_shows_every_way_and_no_markup() -> None:
    """A9 B9: one row a way, intervals below their figures; names stay texts."""
    console = screen()
    trend_update.render_update(REPORT, COMPARISON, console)
    shown = told(console)
    for text in ("no update", "naive fine-tuning", "Dazzle", "+0.0800", "(+0.0700 to +0.1000)"):
        assert text in shown
    assert "north [red]<b>\N{REPLACEMENT CHARACTER}[2J" in shown and "\x1b" not in shown
    assert console.width == 80
    alone = screen()
    trend_update.render_update(REFUSED, None, alone)
    assert "naive" not in told(alone) and "Nothing is published" in told(alone)


def test_the_picture_has_each_way_with_both_intervals_and_the_bound() -> None:
    """A9: change on old against change on new; the dashed line is what the guard allows."""
    figure = trend_update.draw_changes(COMPARISON.arms, 0.015)
    assert [trace.name for trace in figure.data] == ["no update", "naive fine-tuning", "Dazzle"]
    naive = figure.data[1]
    assert (naive.x, naive.y) == ((-0.03,), (0.08,))
    assert round(naive.error_y.array[0], 9) == 0.02
    assert round(naive.error_y.arrayminus[0], 9) == 0.01
    assert round(naive.error_x.array[0], 9) == 0.04
    dashed = [line for line in figure.layout.shapes if line.line.dash == "dash"]
    assert [(line.y0, line.y1) for line in dashed] == [(0.015, 0.015)]


def test_the_picture_does_not_make_much_of_nothing() -> None:
    """A9: changes of a ten-thousandth stay small beside the bound; the bound is always in sight."""
    arm = an_arm("product", 0.0, 0.0)
    figure = trend_update.draw_changes([arm], 0.05)
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    assert left < -0.005 and right > 0.005
    assert bottom < -0.005 and top > 0.05
    wide = trend_update.draw_changes(COMPARISON.arms, 0.015).layout
    assert wide.xaxis.range[0] < -0.13 and wide.yaxis.range[1] > 0.1


def test_the_page_of_an_update_stands_alone() -> None:
    """A9 A12: text from outside is escaped, the figure is in it, same report same bytes; without a
    comparison the update is the one point.
    """
    page = trend_update.render_page(REPORT, COMPARISON)
    assert page == trend_update.render_page(REPORT, COMPARISON)
    assert "<b>" not in body(page) and "north [red]&lt;b&gt;" in page
    assert "//" not in body(page).replace("</", "")
    assert [drawing is not None for drawing in drawings(page)] == [True, False, False, False]
    first, *_ = drawings(trend_update.render_page(REPORT))
    assert first is not None and [one["name"] for one in first["data"]] == ["Dazzle"]
    assert "Nothing is published" in trend_update.render_page(REFUSED)


def test_a_section_may_lack_anything_but_its_title() -> None:
    """A12: a page of words alone has no figure and no table."""
    page = render_sections("a", "b", "c", [Section("only words", ("one", "two"))])
    assert "<figure" not in body(page) and "<table" not in body(page)
    assert "<p>two</p>" in page and drawings(page) == [None]


def test_the_study_forward_says_what_was_left_out_and_each_verdict() -> None:
    """A7: how many windows were learned from, scored and left out, and why; per shape the table."""
    assert trend_forward.division_text(STUDY) == (
        "As of 2023-11-14: learned from 500 windows whose horizon had ended, scored on 50 cut on "
        "that day or later; seed 1. Left out: 3 windows cut before it whose horizon had not "
        "ended; 1 window whose cut is not known."
    )
    console = screen()
    trend_forward.render_forward(STUDY, console)
    shown = told(console)
    assert "\x1b" not in shown and "Szabo" not in shown and "linear model" in shown
    assert "The network is worse than the linear model" in shown
    page = trend_forward.render_page(STUDY)
    assert "<b>" not in body(page) and "windows&lt;b&gt;.parquet" in page
    assert [drawing is not None for drawing in drawings(page)] == [True, True, False]
    assert page == trend_forward.render_page(STUDY)
