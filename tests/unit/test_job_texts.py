"""What jobs print of data: as it is, whatever it holds."""

import pytest

from cluster.contracts.ingest import Finding, IngestReport
from cluster.contracts.result import RatesFile
from cluster.errors import InputError
from cluster.retrieval.query import SearchAnswer
from jobs import ingest, screen, search, shell

MARKUP = "X:[/bold] [red]\x1b[2J"
SHOWN = "X:[/bold] [red]\N{REPLACEMENT CHARACTER}[2J"


def test_findings_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """B1 B9: an id or file name that looks like markup, or would steer a terminal, is a text."""
    finding = Finding(level="warning", code="c", file="[/y]\x1b.jsonl", message=MARKUP)
    ingest.show(
        {"north": IngestReport(platform="north", facts={"age.missing": 1}, findings=[finding])}
    )
    told = capsys.readouterr().out
    assert SHOWN in told and "[/y]" in told and "age.missing" in told
    assert "\x1b" not in told


def test_records_of_rates_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A2 B9: so are the places of records in a file of published rates."""
    finding = Finding(level="warning", code="c", file="r.csv", line=2, message=MARKUP)
    rates = RatesFile(
        file="[/r].csv", sha256="", records=1, without_rate=0, priors=0, findings=(finding,)
    )
    screen._show_rates(rates)
    told = capsys.readouterr().out
    assert SHOWN in told and "[/r].csv" in told
    assert "\x1b" not in told


def test_titles_and_lines_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A13 B9: a path in the title of a table or in a line of text is no markup."""
    table = shell.table("a" * 60, title=f"accesses: {MARKUP}")
    table.add_row("[/z]")
    shell.console().print(table)
    shell.console().print("written to [/out]")
    told = capsys.readouterr().out
    assert SHOWN in told and "[/z]" in told and "[/out]" in told
    assert "\x1b" not in told


def test_an_error_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A13 B9: an error that repeats a path is one line and an exit code, whatever the path is."""

    def main() -> None:
        raise InputError(MARKUP)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr("sys.argv", ["job"])
        shell.run_job(main)
    told = capsys.readouterr().err
    assert ended.value.code == shell.EXIT_INPUT
    assert SHOWN in told and "\x1b" not in told


def test_a_search_without_hits_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A4: an empty answer is told in words, not as a table without rows."""
    search.show(SearchAnswer(hits=[]))
    assert capsys.readouterr().out.strip() == "no case was found"
