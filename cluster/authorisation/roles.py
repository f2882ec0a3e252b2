"""Who may call what: one table, read by the server and by its tests; what is not in it is refused.

A cell says what a role gets of a route:

- ``all``: everything.
- ``whole``: everything, with a token of the whole cluster only.
- ``own``: what belongs to the platform of the caller's token; a token that names no platform
  belongs to the whole cluster. What is foreign does not exist for the caller.
- ``few``: a reduced answer, as the route's description says.
- ``-``: refused.
"""

from enum import StrEnum
from importlib.resources import files
from typing import Final, Literal, NamedTuple, get_args


class Role(StrEnum):
    """Kinds of callers; ``public`` is who shows no token."""

    OPERATOR = "operator"
    PLATFORM = "platform"
    CLINICIAN = "clinician"
    SCIENTIST = "scientist"
    PUBLIC = "public"


Cell = Literal["all", "whole", "own", "few", "-"]
Standing = Literal["core", "usual"]


class Rights(NamedTuple):
    """One row of the table."""

    standing: Standing
    """``core`` is answered under any load, as what must never be shed; ``usual`` may get a 503."""
    cells: dict[Role, Cell]


TABLE_FILE: Final = "roles.txt"
"""A row is method, path, standing, and a cell for each role."""


def _read(text: str) -> dict[str, Rights]:
    header, *rows = (line.split() for line in text.splitlines() if line.strip())
    roles = [Role(name) for name in header[3:]]
    table: dict[str, Rights] = {}
    for method, path, standing, *cells in rows:
        if len(cells) != len(roles) or not {*cells} <= {*get_args(Cell)}:
            text = f"the row of {method} {path} is not whole"
            raise ValueError(text)
        table[f"{method} {path}"] = Rights(
            "core" if standing == "core" else "usual",
            {role: _cell(cell) for role, cell in zip(roles, cells, strict=True)},
        )
    return table


def _cell(text: str) -> Cell:
    cells: dict[str, Cell] = {one: one for one in get_args(Cell)}
    return cells[text]


RIGHTS: Final = _read(files("cluster.authorisation").joinpath(TABLE_FILE).read_text())


def rights_of(method: str, path: str) -> Rights:
    """Return the row of a route.

    Raises:
        KeyError: the route is not in the table, so it may not be served.
    """
    return RIGHTS[f"{method} {path}"]
