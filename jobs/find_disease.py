"""python -m jobs.find_disease QUERY               shows what is known of a disease

QUERY is a code (OMIM:609016, ORPHA:5, MONDO:0012173, DOID:874, ICD-10:E71.3, MeSH:D018410 …), a
name, a synonym, or words. Needs no cluster. Before a file is loaded a small demo table answers
(C8).
"""

from typing import Annotated

import typer
from rich.text import Text

from cluster.contracts.disease import Match
from cluster.errors import InputError
from cluster.flow.diseases import DiseaseDatabase
from cluster.report.disease import answer_lines, match_text
from cluster.report.text import literal
from jobs import shell

OTHERS_BOUND = 100


def main(
    query: Annotated[list[str], typer.Argument(help="a code, a name or words")],
    others: Annotated[int, typer.Option(help="further candidates that are listed")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="the answer as one JSON object")] = False,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    if not 0 <= others <= OTHERS_BOUND:
        what = f"others is {others}"
        raise InputError(what, "--others", f"Ask for 0 to {OTHERS_BOUND}.")
    database = DiseaseDatabase.of(shell.settings_from(settings).data_dir)
    answer = database.answer(" ".join(query), others)
    screen = shell.console()
    if as_json:
        screen.print(
            answer.model_dump_json() if answer else "null", soft_wrap=True, highlight=False
        )
        return
    if answer is None:
        screen.print(literal(f"no disease was found in {database.card.name}"), soft_wrap=True)
        return
    for line in answer_lines(answer):
        screen.print(line, soft_wrap=not screen.is_terminal)
    if answer.others:
        screen.print(candidates(answer.others))


def candidates(matches: tuple[Match, ...]) -> Text:
    lines = [f"  {one.disease_id} {one.name}, {match_text(one)}" for one in matches]
    return Text("\n").join(map(literal, ("Other candidates:", *lines)))


if __name__ == "__main__":
    shell.run_job(main)
