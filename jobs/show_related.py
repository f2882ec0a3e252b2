"""python -m jobs.show_related --out runs/demo --platform P --case ID   related cases and papers

What is kept beside a shared case, at its home and wherever it was delivered (S1040). With --disease
CODE instead, what the disease is and which rare cases of it the network lets the platform see (C8).
"""

from pathlib import Path
from typing import Annotated

import typer

from actors.run import resumed
from actors.upkeep import cases_of_disease, related_of
from cluster.contracts.disease import DiseaseAnswer
from cluster.contracts.related import NetworkCases
from cluster.errors import InputError
from cluster.flow.cases_of_disease import answer_and_question
from cluster.flow.diseases import DiseaseDatabase
from cluster.report.disease import definition_lines
from cluster.report.text import literal
from jobs import shell

LIMIT = 20
LIMIT_MAX = 1000


def main(
    out: shell.Out,
    platform: Annotated[str, typer.Option(help="where the case is, or who asks")],
    case: Annotated[str, typer.Option(help="its id there")] = "",
    disease: Annotated[str, typer.Option(help="a code or a name, in place of a case")] = "",
    limit: Annotated[
        int, typer.Option(min=1, max=LIMIT_MAX, help="cases of a disease, a platform")
    ] = LIMIT,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    changed = shell.pairs_of(settings)
    if bool(case) == bool(disease):
        what = "neither a case nor a disease is named" if not case else "both are named"
        raise InputError(what, "--case, --disease", "Give one of the two.")
    if disease:
        ask(out, platform, disease, limit, changed)
        return
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        items = related_of(run, platform, case)
    table = shell.table("kind", "id or link", "title", "score", "why", "source")
    for item in items:
        texts = (item.link or item.item_id, item.title, f"{item.score:.3f}", item.why)
        source = item.source if not item.platform else f"{item.source}, {item.platform}"
        table.add_row(item.kind, *map(literal, texts), literal(source))
    shell.console().print(table if items else "nothing is kept beside this case")


def ask(out: Path, platform: str, disease: str, limit: int, changed: dict[str, str]) -> None:
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        # Opened once Ray runs: what it starts by fork must not have LanceDB's threads behind it.
        database = DiseaseDatabase.of(run.session.settings.data_dir)
        answer, question = answer_and_question(database, disease, limit)
        cases = cases_of_disease(run, platform, question)
    show_cases(answer, cases)


def show_cases(answer: DiseaseAnswer | None, cases: NetworkCases) -> None:
    screen = shell.console()
    if answer is None:
        told = f"The disease database has no record of {cases.question.disease_id}"
        screen.print(literal(told, style="yellow"), soft_wrap=True)
    else:
        for line in definition_lines(answer):
            screen.print(line, soft_wrap=not screen.is_terminal)
        screen.print(literal(answer.notice, style="yellow"), soft_wrap=not screen.is_terminal)
    asked = f"Cases coded {', '.join(cases.question.codes)}"
    screen.print(literal(asked), soft_wrap=not screen.is_terminal)
    table = shell.table("platform", "case, under the name made for who asks", "why")
    items = [item for found in cases.found.values() for item in found.items]
    for item in items:
        table.add_row(*map(literal, (item.platform, item.item_id, item.why)))
    if items:
        screen.print(table)
    for name, found in cases.found.items():
        screen.print(literal(f"{name}: {found.counts(LIMIT_MAX)}"), soft_wrap=True)
    for name, reason in cases.unanswered.items():
        told = f"{name}: NO ANSWER, {reason}; whether it has cases is not known"
        screen.print(literal(told, style="yellow"), soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
