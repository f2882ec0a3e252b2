"""A search for a configuration in its folder: its plan from the start, its trials at the end."""

from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from cluster.contracts.image_search import ImageSearch
from cluster.contracts.trend_search import TrendSearch
from cluster.errors import Conflict, IntegrityError, NotFound
from cluster.storage.files import write_durably

S = TypeVar("S", TrendSearch, ImageSearch)
SEARCH: Final = "search.json"
PLACES: Final = {"windows", "data_set", "weights"}
"""Fields of a plan that say where things lie; what they are is told by digests."""

NAMES: Final = {
    "dataset_digest": "windows",
    "n_windows": "windows",
    "data_set_digest": "images",
    "n_training": "images",
    "n_validation": "images",
    "weights_sha256": "starting weights",
    "epochs_max": "epochs at the most",
    "space": "bounds, of another version of Dazzle",
    "label_weight": "weight of the labels",
    "candidates": "trials",
}
"""Of the fields of a plan, as a person calls them."""


def open_search(folder: Path, begun: S) -> S:
    """Return the search of a folder, which is begun where there is none.

    Args:
        folder: of the search.
        begun: the search with its plan, and no trials yet.

    Raises:
        Conflict: the folder holds a search with another plan.
        IntegrityError: what is kept of it is damaged.
    """
    if not (folder / SEARCH).exists():
        keep_search(folder, begun)
    kept = read_search(folder, type(begun))
    asked, told = _fields(begun), _fields(kept)
    unlike = [name for name in asked if asked[name] != told[name]]
    if unlike:
        first = unlike[0]
        is_figure = isinstance(told[first], int | float)
        figures = f": {told[first]}, not {asked[first]}" if is_figure else ""
        what = f"{folder} holds a search with other {NAMES.get(first, first)}{figures}"
        raise Conflict(what, SEARCH, "Use another folder, or delete this one to begin anew.")
    return kept


def read_search(folder: Path, kind: type[S]) -> S:
    """Return the search of a folder.

    Raises:
        NotFound: no search was begun in it.
        IntegrityError: what is kept of it is damaged, or is a search of another kind.
    """
    path = folder / SEARCH
    if not path.exists():
        what = f"no search was begun in {folder}"
        raise NotFound(what, SEARCH, "Begin with --num-samples.")
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError:
        what = "the kept search is damaged, of another kind or of another version"
        raise IntegrityError(what, str(path), "Restore it, or delete the folder.") from None


def keep_search(folder: Path, search: TrendSearch | ImageSearch) -> None:
    """Write a search into its folder."""
    write_durably(folder / SEARCH, search.model_dump_json(indent=1).encode())


def _fields(search: TrendSearch | ImageSearch) -> dict[str, Any]:  # Any: what JSON may hold
    """Return what a search asks for, with the fields of a configuration among those of the plan."""
    fields = search.plan.model_dump(exclude=PLACES)
    return {**fields.pop("base", {}), **fields}
