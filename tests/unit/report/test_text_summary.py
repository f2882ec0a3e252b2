"""The summary for the terminal shows the result, in plain text where nobody looks at colours."""

import io

import pytest
from flow_results import flow_result, platform_result, simulated_accesses, two_platforms
from rich.console import Console
from rich.text import Text

from cluster.contracts.result import SIMULATED, FlowResult
from cluster.report.text import render_summary


def summary(result: FlowResult, *, width: int = 80, terminal: bool = False) -> str:
    sink = io.StringIO()
    render_summary(result, Console(file=sink, width=width, force_terminal=terminal))
    return sink.getvalue()


def row_of(text: str, start: str) -> list[str]:
    return next(line for line in text.splitlines() if line.strip().startswith(start)).split()


def test_the_summary_is_plain_and_fits_where_there_is_no_terminal() -> None:
    """A13: a log file gets no escape codes, and lines of at most 118 columns."""
    text = summary(flow_result())
    assert "\x1b" not in text
    assert 100 < max(map(len, text.splitlines())) <= 118


@pytest.mark.parametrize("width", [100, 120, 200])
def test_the_summary_fits_its_terminal(width: int) -> None:
    """A13: on a terminal of at least 100 columns no line is broken by the terminal."""
    text = summary(flow_result(), width=width, terminal=True)
    lines = [Text.from_ansi(line) for line in text.splitlines()]
    assert max(line.cell_len for line in lines) <= min(width, 118)


def test_the_console_keeps_its_width() -> None:
    """A13: what is written after the summary has the console's own width again."""
    console = Console(file=io.StringIO(), width=72)
    render_summary(flow_result(), console)
    assert console.width == 72


def test_numbers_are_those_of_the_result() -> None:
    """A10: counts by platform, indexes, deliveries, receipts and the held-out line."""
    text = summary(flow_result())
    assert (
        "3 platforms, 27 cases, 6 rare cases, 2 uploads of 3 decisions, 1 of 3 deliveries" in text
    )
    assert row_of(text, "north ") == [
        "north",
        "9",
        "2",
        "2",
        "12,345",
        "14",
        "2",
        "1",
        "of",
        "3",
        "0",
    ]
    case = " ".join(row_of(text, "north-rare-1"))
    assert case == "north-rare-1 Alport syndrome 321 45 0.651 – 1 of 2 0 cases, 1 paper"
    assert "1 receipt " in text and "pushed to 1" in text
    assert "upload: first index 0.651" in text
    assert "0.247 (0.0542–0.913)" in text
    assert row_of(text, "first model") == [
        "first", "model", "300", "0.811*", "0.802", "0.911*", "–", "0.071*",
    ]  # fmt: skip
    assert "MSLE on old windows 0.8001 before, 0.8042 after" in " ".join(text.split())


def test_what_is_simulated_is_marked() -> None:
    """A5: the mark stands at what rests on simulated accesses, and only there."""
    assert SIMULATED not in summary(flow_result())
    lines = summary(simulated_accesses()).splitlines()
    bare = next(line for line in lines if line.startswith("Rarest classes"))
    assert SIMULATED not in bare
    for start in ("Platforms", "Top cases", "Trend model"):
        assert SIMULATED in next(line for line in lines if line.startswith(start))
    assert f"{SIMULATED}: accesses" in lines[-1]


def test_labels_cannot_steer_the_terminal() -> None:
    """A13: markup and control characters in a label are shown, not obeyed."""
    text = summary(flow_result(two_platforms(label="[red]x[/red] \x1b[2J\u202e")))
    assert "[red]x[/red]" in text
    assert "\x1b" not in text and "\u202e" not in text


@pytest.mark.parametrize(
    "result", [flow_result([]), flow_result([platform_result("lonely")], second=False)]
)
def test_an_empty_result_is_summed_up(result: FlowResult) -> None:
    """A13: without platforms or decisions the summary says so in words."""
    assert "No rare case has been decided on in this period." in summary(result)
