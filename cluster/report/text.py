"""A result for the terminal: what an operator reads when a run is over.

Every text from outside is shown literally: no markup is read in it, and characters that could
steer a terminal are replaced.
"""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.contracts.result import SIMULATED, FlowResult
from cluster.report import readings, trend_readings
from cluster.report.readings import CaseRow
from cluster.report.style import counted

CASES_MAX: Final = 10
RAREST_MAX: Final = 3
WIDTH_MIN: Final = 100
WIDTH_MAX: Final = 118
TEXT_WIDTH_MIN: Final = 24
METRIC_NAMES: Final = ("MSLE", "Spearman", "AUROC", "AUPRC", "Brier")

Column = tuple[str, bool]
"""Heading, and whether it holds numbers."""


def render_summary(result: FlowResult, console: Console) -> None:
    """Write the summary of a result, in plain text where the console is not a terminal.

    The tables need 100 columns. They take up to 118, and all of these where the width is nobody's.
    """
    asked = console.width
    console.width = max(WIDTH_MIN, min(asked, WIDTH_MAX)) if console.is_terminal else WIDTH_MAX
    try:
        for part in summary_parts(result):
            console.print(part)
    finally:
        console.width = asked


def summary_parts(result: FlowResult) -> list[Table | Text]:
    """Return the summary as lines and tables, in the order in which they are read."""
    marks = readings.marks_of(result)
    parts: list[Table | Text] = [*_head(result)]
    parts.append(_platforms(result, simulated=marks.decisions))
    parts.append(_rarest(result, simulated=marks.screening))
    rows = readings.case_rows(result, CASES_MAX)
    if rows:
        parts.append(_cases(rows, simulated=marks.decisions))
    else:
        parts.append(Text("No rare case has been decided on in this period."))
    parts.append(_metrics(result, simulated=marks.accesses))
    parts.append(_update(result, simulated=marks.accesses))
    parts.extend(
        literal(f"Related material: {readings.unavailable_text(one)}", style="yellow")
        for one in result.unavailable
    )
    parts.extend(literal(text, style="yellow") for text in trend_readings.waiting_sentences(result))
    if simulated := readings.simulated_parts(result):
        parts.append(literal(f"{SIMULATED}: {'; '.join(simulated)}", style="bold yellow"))
    return parts


def literal(text: str, style: str = "") -> Text:
    """Return a text from outside as it is, without what could steer a terminal."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return Text(shown, style=style)


def _head(result: FlowResult) -> list[Text]:
    totals, plan = readings.totals_of(result), result.plan
    first = f"Run {plan.run}, as of {readings.instant(plan.as_of)}"
    counts = [
        counted(totals.platforms, "platform"),
        counted(totals.cases, "case"),
        counted(totals.rare_cases, "rare case"),
        f"{counted(totals.uploads, 'upload')} of {counted(totals.decisions, 'decision')}",
        f"{totals.delivered:,} of {counted(totals.deliveries, 'delivery', 'deliveries')} arrived",
    ]
    on = readings.marks_of(result).decisions
    return [literal(first, style="bold"), literal(_marked(", ".join(counts), simulated=on))]


def _platforms(result: FlowResult, *, simulated: bool) -> Table:
    table = _table(
        _marked("Platforms", simulated=simulated),
        [
            ("platform", False),
            ("cases", True),
            ("classes", True),
            ("rare cases", True),
            ("events", True),
            ("period, days", True),
            ("uploads", True),
            ("delivered", True),
            ("received", True),
        ],
    )
    for one in result.platforms:
        screening = one.screening
        sent = readings.case_deliveries(one)
        _add(
            table,
            one.platform,
            f"{len(screening.cases):,}",
            f"{len(screening.classes):,}",
            f"{len(screening.rare):,}",
            f"{one.period.events:,}",
            readings.number(one.period.period_days),
            f"{readings.n_uploads(one):,}",
            f"{readings.state_counts(one)['delivered']:,} of {len(sent):,}",
            f"{readings.n_received(one):,}",
        )
    return table


def _rarest(result: FlowResult, *, simulated: bool) -> Table:
    title = "Rarest classes, new cases per 100,000 person-years: median with 95 % interval"
    columns = [("platform, at risk", False), ("class", False), ("cases", True), ("incidence", True)]
    table = _table(_marked(title, simulated=simulated), columns)
    for one in result.platforms:
        for place, row in enumerate(one.screening.classes[:RAREST_MAX]):
            _add(
                table,
                (one.platform, readings.at_risk_text(one.screening)) if not place else "",
                (row.label or row.class_id, f"prior {readings.prior_name(row)}"),
                f"{row.n_cases:,}",
                readings.interval_text(row),
            )
    return table


def _cases(rows: Sequence[CaseRow], *, simulated: bool) -> Table:
    table = _table(
        _marked("Top cases", simulated=simulated),
        [
            ("case, platform", False),
            ("disease, decision and why", False),
            ("clicks", True),
            ("usages", True),
            ("first", True),
            ("second", True),
            ("arrived", True),
            ("related", True),
        ],
    )
    for row in rows:
        one = row.decision
        _add(
            table,
            (one.case_id, one.platform),
            (row.label, f"{one.outcome}: {one.reason}"),
            f"{one.clicks:,}",
            f"{one.usages:,}",
            readings.index_text(one.first.index),
            readings.index_text(one.second.index if one.second else None),
            (f"{row.delivered} of {len(row.deliveries)}", counted(row.receipts, "receipt")),
            (_related(row), f"pushed to {row.related_pushed}" if row.related else ""),
        )
    return table


def _related(row: CaseRow) -> str:
    kinds = [item.kind for item in row.related]
    if not kinds:
        return "none"
    cases, papers = kinds.count("case"), kinds.count("literature")
    return f"{counted(cases, 'case')}, {counted(papers, 'paper')}"


def _metrics(result: FlowResult, *, simulated: bool) -> Table:
    title = "Trend model and baselines on cases they never met (* best of its column)"
    columns = [("forecast", False), ("windows", True), *((name, True) for name in METRIC_NAMES)]
    table = _table(_marked(title, simulated=simulated), columns)
    for row in readings.metrics_rows(result):
        figures = [
            readings.index_text(getattr(row.metrics, metric)) + ("*" if metric in row.best else " ")
            for metric in readings.METRICS
        ]
        name = row.name if row.is_model else f"{row.name} (baseline)"
        _add(table, name, f"{row.metrics.n:,}", *figures)
    return table


def _update(result: FlowResult, *, simulated: bool) -> Text:
    update = result.update
    figures = (
        f"MSLE on old windows {update.old_before:.4f} before, {update.old_after:.4f} after; "
        f"on new ones {update.new_before:.4f} before, {update.new_after:.4f} after"
    )
    line = f"{trend_readings.update_sentence(result)} {figures}."
    return literal(_marked(line, simulated=simulated))


def _marked(text: str, *, simulated: bool) -> str:
    return f"{text}  [{SIMULATED}]" if simulated else text


def _table(title: str, columns: Sequence[Column]) -> Table:
    table = Table(
        title=literal(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        min_width=min(len(title), WIDTH_MIN),
    )
    for heading, is_number in columns:
        if is_number:
            table.add_column(heading, justify="right", no_wrap=" " not in heading)
        else:
            table.add_column(heading, overflow="fold", min_width=TEXT_WIDTH_MIN)
    return table


def _add(table: Table, *cells: str | tuple[str, str]) -> None:
    """Add a row; a cell of two lines is a pair."""
    pairs = (cell if isinstance(cell, tuple) else (cell,) for cell in cells)
    table.add_row(*(Text("\n").join(map(literal, lines)) for lines in pairs))
