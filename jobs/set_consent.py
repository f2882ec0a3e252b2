"""python -m jobs.set_consent --out runs/demo --platform P --case ID --consent private   holds it

From then on nothing more of the case leaves, and the platforms that it was sent to are told to
erase it: their receipts stand in the outbox. Given back, a case that was sent out goes out again.
"""

from typing import Annotated, Literal

import typer

from actors.flow import deliver
from actors.run import resumed
from actors.upkeep import set_consent
from jobs import shell


def main(
    out: shell.Out,
    platform: Annotated[str, typer.Option(help="the case's home")],
    case: Annotated[str, typer.Option(help="id of the case")],
    consent: Annotated[Literal["share", "private"], typer.Option(help="may it be shared")],
    state: Annotated[Literal["active", "withdrawn"], typer.Option(help="is it in use")] = "active",
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        set_consent(run, platform, case, state=state, consent=consent)
        deliver(run)
    shell.console().print(f"{platform}: the case is {state}, consent {consent}", highlight=False)


if __name__ == "__main__":
    shell.run_job(main)
