"""python -m jobs.screen --out runs/demo            screens every case for rarity

First screening: what is published as not rare goes, then the classes of highest incidence. Second:
incidence at most the preset (S310-S330). Rates are new individuals per 100,000 person-years; their
priors are published annual incidences, else the pooled rates of all platforms.
"""

from rich.text import Text

from actors.flow import screen
from actors.run import resumed
from cluster.contracts.result import RatesFile, ScreeningReport
from cluster.report import readings
from cluster.report.text import literal
from jobs import shell

SHOWN = 10
FINDINGS_SHOWN = 10


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        reports = screen(run)
    for report in reports.values():
        _show(report)
    first = next(iter(reports.values())).basis
    if first is not None and first.rates is not None:
        _show_rates(first.rates)


def _show(report: ScreeningReport) -> None:
    console = shell.console()
    steps = [f"{n:,} {step}" for step, n in readings.screening_steps(report).items()]
    priors = [f"{n:,} {kind}" for kind, n in readings.prior_kinds(report).items()]
    lines = (
        f"{report.platform}: {readings.at_risk_text(report)}",
        f"  {readings.basis_text(report)}",
        f"  {', '.join(steps)}",
        f"  classes by prior: {', '.join(priors) or 'none'}",
    )
    for line in lines:
        console.print(literal(line), soft_wrap=True)
    classes = {row.class_id: row for row in report.classes}
    heads = ("rank", "case, class", "k", "median (95 %)", "prior, published rarity, reason")
    table = shell.table(*heads, title="annual incidence per 100,000 person-years")
    for case in report.rare[:SHOWN]:
        row = classes[case.class_id]
        why = [
            f"prior {readings.prior_text(row)}",
            *([f"published: {row.published}"] if row.published else []),
            readings.reason_text(row, report.basis),
        ]
        table.add_row(
            str(case.rank),
            _lines(case.case_id, f"{case.class_id} {row.label}"),
            f"{row.n_cases:,}",
            _lines(*readings.interval_text(row).split(" ", 1)),
            _lines(*why),
        )
    console.print(table)


def _lines(*texts: str) -> Text:
    return Text("\n").join(map(literal, texts))


def _show_rates(rates: RatesFile) -> None:
    console = shell.console()
    counts = ", ".join(f"{n:,} {code}" for code, n in rates.by_code.items()) or "none"
    said = (
        f"{rates.file}: {rates.records:,} records, {rates.without_rate:,} without a rate, "
        f"{rates.priors:,} classes with an annual incidence; findings: {counts}"
    )
    console.print(literal(said), soft_wrap=True)
    for finding in rates.findings[:FINDINGS_SHOWN]:
        line = f"  line {finding.line}, " if finding.line else "  "
        told = f"{line}{finding.code}: {finding.message}"
        console.print(literal(told), soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
