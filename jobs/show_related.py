"""python -m jobs.show_related --out runs/demo --platform P --case ID   related cases and papers

What is kept beside a shared case, at its home and wherever it was delivered (S1040).
"""

from typing import Annotated

import typer

from actors.run import resumed
from actors.upkeep import related_of
from cluster.report.text import literal
from jobs import shell


def main(
    out: shell.Out,
    platform: Annotated[str, typer.Option(help="where the case is")],
    case: Annotated[str, typer.Option(help="its id there")],
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        items = related_of(run, platform, case)
    table = shell.table("kind", "id or link", "title", "score", "why", "source")
    for item in items:
        texts = (item.link or item.item_id, item.title, f"{item.score:.3f}", item.why)
        source = item.source if not item.platform else f"{item.source}, {item.platform}"
        table.add_row(item.kind, *map(literal, texts), literal(source))
    shell.console().print(table if items else "nothing is kept beside this case")


if __name__ == "__main__":
    shell.run_job(main)
