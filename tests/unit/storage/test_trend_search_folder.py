"""A search in its folder."""

from pathlib import Path

import pytest

from cluster.contracts.trend_search import Candidate, SearchPlan, TrendSearch, Trial
from cluster.errors import Conflict, IntegrityError, NotFound
from cluster.storage.searches import SEARCH, keep_search, open_search, read_search

CANDIDATE = Candidate(id="trial-00", values={"width": 64, "lr": 0.001})
PLAN = SearchPlan(
    windows="a.parquet",
    dataset_digest="digest",
    n_windows=3,
    epochs_max=5,
    seed=1,
    label_weight=0.3,
    space=(),
    candidates=(CANDIDATE,),
)
BEGUN = TrendSearch(plan=PLAN)


def test_a_search_is_kept_as_it_is(tmp_path: Path) -> None:
    """A6: what was found is read again, whole numbers as such; the file may have another name."""
    assert open_search(tmp_path, BEGUN) == BEGUN
    trial = Trial(**CANDIDATE.model_dump(), state="finished", curve=((3, 0.5),), epochs=3)
    search = TrendSearch(plan=PLAN, trials=(trial,))
    keep_search(tmp_path, search)
    again = open_search(
        tmp_path, TrendSearch(plan=PLAN.model_copy(update={"windows": "b.parquet"}))
    )
    assert again == search
    assert isinstance(again.trials[0].values["width"], int)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dataset_digest": "other"}, "with other windows"),
        ({"epochs_max": 6}, "with other epochs at the most: 5, not 6"),
        ({"seed": 2}, "with other seed: 1, not 2"),
        ({"candidates": (CANDIDATE, CANDIDATE)}, "with other trials"),
    ],
)
def test_another_search_in_the_same_folder_is_refused(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    """A6: two searches are never mixed; what differs is named."""
    open_search(tmp_path, BEGUN)
    with pytest.raises(Conflict, match=said):
        open_search(tmp_path, TrendSearch(plan=PLAN.model_copy(update=changed)))


def test_a_folder_without_a_search_or_with_a_damaged_one(tmp_path: Path) -> None:
    """A6: both are told, with what to do."""
    with pytest.raises(NotFound, match="no search was begun"):
        read_search(tmp_path, TrendSearch)
    (tmp_path / SEARCH).write_text("{}")
    with pytest.raises(IntegrityError, match="damaged"):
        read_search(tmp_path, TrendSearch)
