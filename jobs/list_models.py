"""python -m jobs.list_models                      lists the image models, and what they came from

--disease asks by any code or name; --all also shows versions that wait, were refused or retired;
--registry shows all that the registry keeps: training data, algorithms, models and disease
databases, each with its place, version and lineage (C9, C11).
"""

import json
import re
from typing import Annotated, Final, get_args

import typer
from rich.table import Table
from rich.text import Text

from actors.registry import RegistryService
from actors.registry_calls import ask_registry
from cluster.clock import iso
from cluster.contracts.image_models import ListedModel, ModelList, State
from cluster.contracts.registry import Registered
from cluster.device.show import classes_of
from cluster.report.text import literal
from jobs import shell

MIB: Final = 1 << 20
DIGEST: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
"""A SHA-256, of which a table shows the first part."""
CONFIG: Final = "config: "
CONFIG_CHARS_MAX: Final = 60
"""Of a configuration in the registry's table."""
IN_JSON: Final = "Whole digests, places and configurations are in --json."


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
        shown, below = registry_table(rows), [IN_JSON]
    else:
        states: tuple[State, ...] = get_args(State) if every else ("published",)
        models = ask_registry(chosen, RegistryService.model_list, disease, name, states)
        told, shown = models.model_dump_json(), model_table(models)
        below = reason_lines(models)
    if as_json:
        screen.print(told, soft_wrap=True, highlight=False)
    elif shown.row_count:
        screen.print(shown)
        for line in below:
            screen.print(literal(line), soft_wrap=True)
    else:
        asked = (f"of the name {name}" if name else "", "of this disease" if disease else "")
        hint = "" if every else "; --all also shows those that wait, were refused or retired"
        screen.print(" ".join(filter(None, ("no image model", *asked, f"is listed{hint}"))))


def model_table(models: ModelList) -> Table:
    heads = ("name", "no.", "version", "state", "tells apart", "accuracy", "MiB", "by")
    made = shell.table(*heads)
    made.columns[heads.index("version")].no_wrap = True
    for one in models.models:
        made.add_row(*map(literal, cells_of(one)))
    return made


def cells_of(model: ListedModel) -> tuple[str, ...]:
    return (
        model.name,
        str(model.number),
        model.version[: shell.DIGEST_CHARS],
        f"{model.state}, serving" if model.serving else model.state,
        ", ".join(classes_of(model)),
        model.accuracy_told,
        ", ".join(f"{name} {size / MIB:.1f}" for name, size in model.sizes.items()),
        model.made_by,
    )


def reason_lines(models: ModelList) -> list[str]:
    """Say of each version that waits, or was refused or retired, why, as far as that is known."""
    return [
        f"{one.name} {one.number}, {one.state}: {one.reason}" for one in models.models if one.reason
    ]


def registry_table(rows: list[Registered]) -> Table:
    """Return what is kept as a table that fits a terminal: digests are cut to their first part."""
    made = shell.table("what", "name and version", "state", "place, lineage and history")
    made.show_lines = True
    for row in rows:
        done = (f"{iso(c.at)} {c.action} by {c.by} {c.reason}".strip() for c in row.history)
        is_named = row.kind == "algorithm"  # its version is a name, too long for a column
        version = f"version: {row.version}" if is_named else ""
        lines = map(shortened, filter(None, (version, row.place, *row.lineage, *done)))
        name = (row.name,) if is_named else (row.name, row.version[: shell.DIGEST_CHARS])
        cells = ((row.kind,), name, row.state.split(" "), lines)
        made.add_row(*(Text("\n").join(map(literal, cell)) for cell in cells))
    return made


def shortened(line: str) -> str:
    """Return a line of the registry as its table shows it."""
    cut = DIGEST.sub(r"\1…", line)
    is_long = cut.startswith(CONFIG) and len(cut) > CONFIG_CHARS_MAX
    return f"{cut[:CONFIG_CHARS_MAX]}…" if is_long else cut


if __name__ == "__main__":
    shell.run_job(main)
