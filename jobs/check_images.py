"""python -m jobs.check_images --dataset ZIP --out runs/images   reports on a set of images

A zip or a folder with a folder for each class. Every file is read with limits, in processes of its
own, and encoded anew without what identifies a person; duplicates are found; the parts for
training, validation and test are divided by person. With --name the clean set is stored (C1).
"""

from pathlib import Path
from typing import Annotated

import typer

from cluster.report.image_set import render_card
from jobs import shell
from jobs.image_intake import REPORTS, Persons, check_set, refusal, show_files


def main(
    dataset: Annotated[Path, typer.Option(help="zip or folder, with a folder for each class")],
    out: Annotated[Path, typer.Option(help="folder of the report")],
    name: Annotated[str, typer.Option(help="stores the clean set under this name")] = "",
    persons: Persons = None,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    card, stored = check_set(dataset, out, name, persons, shell.settings_from(settings))
    screen = shell.console()
    render_card(card, screen)
    show_files(out, REPORTS)
    if not card.accepted:
        raise refusal(card)
    if stored:
        screen.print(f"stored as {name} {card.digest}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
