"""A search of image models as a table for the terminal and as one HTML file with its figures.

It looks as a search of trend models does, and says beside the loss which share was recognised.
"""

from typing import Final

from rich.console import Console

from cluster.contracts.image_search import ImageSearch
from cluster.report.style import counted
from cluster.report.trend_search import (
    SearchTexts,
    ends_text,
    heads,
    search_page,
    show_search,
    trial_rows,
)

TITLE: Final = "A search for a better way to train an image model"
NOTES: Final = (
    "The loss is the mean cross entropy on the validation images, in nats, with one weight for all "
    "classes and without smoothed labels; the accuracy is of the same weights on the same images.",
    "The best of many is chosen by the images that it is shown on, so its lead is a little too "
    "good. The test part is not looked at: believe the report of the published trial.",
)
PLACE: Final = 2
"""Of the accuracy among the cells of a trial: behind its loss."""


def render_search(search: ImageSearch, console: Console) -> None:
    """Write the table of the trials, best first, and what follows from it."""
    show_search(search, _texts(search), console)


def render_page(search: ImageSearch) -> str:
    """Return the search as one HTML document; the same search gives the same bytes."""
    return search_page(search, _texts(search))


def image_trial_rows(search: ImageSearch) -> list[list[str]]:
    """Return the cells of each trial, best first, with its accuracy behind its loss."""
    rows = []
    for trial, row in zip(search.trials, trial_rows(search), strict=True):
        share = trial.validation_accuracy
        rows.append([*row[:PLACE], "" if share is None else f"{share:.3f}", *row[PLACE:]])
    return rows


def _texts(search: ImageSearch) -> SearchTexts:
    plan, names = search.plan, heads(search)
    counts = (
        f"{counted(len(search.trials), 'trial')} of {plan.base.backbone} at "
        f"{plan.base.image_size} pixels, starting from {plan.weights}, on "
        f"{counted(plan.n_training, 'training image')} of {plan.data_set}, judged on "
        f"{plan.n_validation:,}, at most {plan.base.epochs_max} epochs, seed {plan.base.seed}: "
        f"{ends_text(search)}"
    )
    return SearchTexts(
        title=TITLE,
        counts=counts,
        notes=NOTES,
        heads=(*names[:PLACE], "accuracy", *names[PLACE:]),
        rows=image_trial_rows(search),
        curve="validation loss after the pass, that of the head first",
    )
