"""python -m jobs.conformance mme --url URL      checks a server against the Matchmaker Exchange API

Every probe says that it is a test. A rule of the specification that is broken makes the exit code
1; what is only customary is a remark.
"""

from typing import Annotated, Literal

import typer
from pydantic import SecretStr
from rich.text import Text

from cluster.report.text import literal
from cluster.standards.mme.conformance import Finding
from cluster.storage.mme_conformance import run_checks
from jobs import shell


def main(
    standard: Annotated[Literal["mme"], typer.Argument(help="mme: Matchmaker Exchange 1.0, 1.1")],
    url: Annotated[str, typer.Option(help="base address, such as https://host/mme")],
    token: Annotated[
        str, typer.Option(envvar="DAZZLE_MME_TOKEN", help="that opens the server")
    ] = "",
    timeout_s: Annotated[float, typer.Option(min=0.1, max=600, help="seconds of a probe")] = 20.0,
) -> None:
    del standard
    with shell.shown_progress() as tell:
        findings = run_checks(url, SecretStr(token), timeout_s=timeout_s, progress=tell)
    screen = shell.console()
    for one in findings:
        screen.print(line(one), soft_wrap=True)
    failed = [one for one in findings if one.fails]
    remarks = sum(not one.ok for one in findings) - len(failed)
    told = f"{len(findings)} checks, {len(failed)} fail, {remarks} remarks"
    screen.print(literal(told), soft_wrap=True)
    if failed:
        raise typer.Exit(shell.EXIT_FAULT)


def line(one: Finding) -> Text:
    if one.ok:
        return literal(f"ok      {one.check.name}")
    mark, style = ("FAILS ", "red") if one.fails else ("remark", "yellow")
    return literal(f"{mark}  {one.check.name}: {one.what} ({one.check.clause})", style=style)


if __name__ == "__main__":
    shell.run_job(main)
