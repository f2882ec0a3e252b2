"""python -m jobs.list_models                      lists the image models, and what they came from

--disease asks by any code or name; --all also shows versions that wait, were refused or retired;
--registry shows all that the registry keeps: training data, algorithms, models and disease
databases, each with its place, version and lineage (C9, C11).
"""

import json
from typing import Annotated, Final, get_args

import typer
from rich.table import Table

from actors.registry import RegistryService
from actors.registry_calls import ask_registry
from cluster.clock import iso
from cluster.contracts.image_models import ListedModel, ModelList, State
from cluster.contracts.registry import Registered
from cluster.report.text import literal
from jobs import shell

MIB: Final = 1 << 20


def main(
    disease: Annotated[str, typer.Option(help="code, name or synonym of a disease")] = "",
    name: Annotated[str, typer.Option(help="of a model")] = "",
    every: Annotated[bool, typer.Option("--all", help="versions in every state")] = False,
    registry: Annotated[bool, typer.Option("--registry", help="all that is kept")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen, screen = shell.settings_from(settings), shell.console()
    if registry:
        rows = ask_registry(chosen, RegistryService.listing)
        told = json.dumps([row.model_dump(mode="json") for row in rows])
        shown = registry_table(rows)
    else:
        states: tuple[State, ...] = get_args(State) if every else ("published",)
        models = ask_registry(chosen, RegistryService.model_list, disease, name, states)
        told, shown = models.model_dump_json(), model_table(models)
    if as_json:
        screen.print(told, soft_wrap=True, highlight=False)
    elif shown.row_count:
        screen.print(shown)
    else:
        asked = (f"of the name {name}" if name else "", "of this disease" if disease else "")
        screen.print(" ".join(filter(None, ("no image model", *asked, "is listed"))))


def model_table(models: ModelList) -> Table:
    made = shell.table("name", "no.", "version", "state", "tells apart", "size", "accuracy", "by")
    for one in models.models:
        made.add_row(*map(literal, cells_of(one)))
    return made


def cells_of(model: ListedModel) -> tuple[str, ...]:
    state = f"{model.state}, serving" if model.serving else model.state
    sizes = ", ".join(f"{name} {size / MIB:.1f} MiB" for name, size in model.sizes.items())
    return (
        model.name,
        str(model.number),
        model.version[: shell.DIGEST_CHARS],
        f"{state}: {model.reason}" if model.reason else state,
        ", ".join(model.labels),
        sizes,
        "" if model.accuracy is None else f"{model.accuracy:.3f}",
        model.made_by,
    )


def registry_table(rows: list[Registered]) -> Table:
    made = shell.table("what", "name", "version", "place", "state", "lineage")
    for row in rows:
        done = (f"{iso(c.at)} {c.action} by {c.by} {c.reason}".strip() for c in row.history)
        told = "\n".join((*row.lineage, *done))
        version = row.version if row.kind == "algorithm" else row.version[: shell.DIGEST_CHARS]
        made.add_row(*map(literal, (row.kind, row.name, version, row.place, row.state, told)))
    return made


if __name__ == "__main__":
    shell.run_job(main)
