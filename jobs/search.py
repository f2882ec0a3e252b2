"""python -m jobs.search --out runs/demo --term HP:0001250   finds cases, and says why

By phenotype terms, by disease, by free text, or by another case of the platform (S400).
"""

from typing import Annotated

import typer

from actors.run import resumed
from actors.upkeep import search
from cluster.flow.search import CaseQuery
from jobs import shell


def main(
    out: shell.Out,
    term: Annotated[list[str], typer.Option(help="an HPO id; repeatable")] = [],  # noqa: B006
    disease: Annotated[str, typer.Option(help="a disease id such as OMIM:162200")] = "",
    text: Annotated[str, typer.Option(help="words")] = "",
    like: Annotated[str, typer.Option(help="id of a case")] = "",
    platform: Annotated[list[str], typer.Option(help="default: all")] = [],  # noqa: B006
    k: Annotated[int, typer.Option(min=1, max=100, help="hits of each platform")] = 5,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    changed = shell.pairs_of(settings)
    query = CaseQuery(
        terms=tuple(term), disease_id=disease or None, text=text, like=like or None, k=k
    )
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        hits = search(run, query, platform)
    table = shell.table("platform", "case", "diagnosis", "score", "why")
    for name, found in hits:
        diagnosis = f"{found.disease_id} {found.disease_label}"
        table.add_row(name, found.case_id, diagnosis, f"{found.score:.3f}", "\n".join(found.why))
    shell.console().print(table)


if __name__ == "__main__":
    shell.run_job(main)
