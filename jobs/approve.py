"""python -m jobs.approve --out runs/demo --platform P --case ID   lets a case of one origin go out

A case is held where nearly all of its accesses come from one platform (platform_share_max). An
operator who knows them to be real lets its present revision pass, from the next period on; the
index must still lie in the preset range.
"""

from typing import Annotated

import typer

from actors.run import resumed
from actors.upkeep import approve
from jobs import shell


def main(
    out: shell.Out,
    platform: Annotated[str, typer.Option(help="the case's home")],
    case: Annotated[str, typer.Option(help="id of the case")],
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        is_new = approve(run, platform, case)
    told = "is approved from the next period on" if is_new else "had been approved before"
    shell.console().print(f"{platform}: the case {told}", highlight=False)


if __name__ == "__main__":
    shell.run_job(main)
