"""A search for a configuration in its folder: its plan from the start, its trials at the end."""

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from cluster.contracts.trend_search import SearchPlan, TrendSearch
from cluster.errors import Conflict, IntegrityError, NotFound
from cluster.storage.files import write_durably

SEARCH: Final = "search.json"
PLACES: Final = {"windows"}
"""Fields of a plan that say where things lie."""

NAMES: Final = {
    "dataset_digest": "windows",
    "n_windows": "windows",
    "epochs_max": "epochs at the most",
    "space": "bounds, of another version of Dazzle",
    "label_weight": "weight of the labels",
    "candidates": "trials",
}
"""Of the fields of a plan, as a person calls them."""


def open_search(folder: Path, plan: SearchPlan) -> TrendSearch:
    """Return the search of a folder, which is begun where there is none.

    Raises:
        Conflict: the folder holds a search with another plan.
        IntegrityError: what is kept of it is damaged.
    """
    if not (folder / SEARCH).exists():
        keep_search(folder, TrendSearch(plan=plan))
    kept = read_search(folder)
    asked, told = (one.model_dump(exclude=PLACES) for one in (plan, kept.plan))
    unlike = [name for name in asked if asked[name] != told[name]]
    if unlike:
        first = unlike[0]
        is_figure = isinstance(told[first], int | float)
        figures = f": {told[first]}, not {asked[first]}" if is_figure else ""
        what = f"{folder} holds a search with other {NAMES.get(first, first)}{figures}"
        raise Conflict(what, SEARCH, "Use another folder, or delete this one to begin anew.")
    return kept


def read_search(folder: Path) -> TrendSearch:
    """Return the search of a folder.

    Raises:
        NotFound: no search was begun in it.
        IntegrityError: what is kept of it is damaged.
    """
    path = folder / SEARCH
    if not path.exists():
        what = f"no search was begun in {folder}"
        raise NotFound(what, SEARCH, "Begin with --num-samples.")
    try:
        return TrendSearch.model_validate_json(path.read_bytes())
    except ValidationError:
        what = "the kept search is damaged, or of another version"
        raise IntegrityError(what, str(path), "Restore it, or delete the folder.") from None


def keep_search(folder: Path, search: TrendSearch) -> None:
    """Write a search into its folder."""
    write_durably(folder / SEARCH, search.model_dump_json(indent=1).encode())
