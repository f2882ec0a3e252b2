"""Whether the edge of an image gives its class away, so that a model need not look inside (C2).

Images of one class often come from one place, and then have its light and its margin. A linear
model that sees nothing but the colours at the edge is asked for the class. What it knows, a network
can use as well, and will miss where the images come from elsewhere.

Shapes: N images of H x W pixels, F features.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cluster.contracts.image_models import Interval
from cluster.errors import InputError
from cluster.imaging.metrics import wilson

BORDER: Final = 1 / 16
"""Of the shorter side: how broad the edge is."""
PARTS: Final = 5
"""Of the images; each is answered by a model that learned from the other ones."""


@dataclass(frozen=True)
class BorderCheck:
    """How well the edge alone tells the class."""

    accuracy: Interval
    """Of the linear model, on images that it did not learn from."""
    chance: float
    """What is reached without looking: the share of the largest class."""

    @property
    def tells(self) -> bool:
        """Whether the edge surely tells more than chance does."""
        return self.accuracy.low > self.chance


def border_accuracy(
    pixels_NHW3: NDArray[np.uint8],
    truth_N: NDArray[np.integer],
    group_N: NDArray[np.integer],
    seed: int = 0,
) -> BorderCheck:
    """Tell the class from mean and spread of the colours along each of the four sides.

    Args:
        pixels_NHW3: training images.
        truth_N: their classes.
        group_N: images of one group, a person's for example, are never on both sides.
        seed: of how groups are put into parts.

    Raises:
        InputError: a class has fewer groups than there are parts.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes, counts = np.unique(truth_N, return_counts=True)
    fewest = min((len(np.unique(group_N[truth_N == one])) for one in classes), default=0)
    if len(classes) < 2 or fewest < PARTS:
        what = f"{len(classes)} classes, of which one has {fewest} groups of images"
        remedy = f"Give at least two classes of {PARTS} groups each."
        raise InputError(what, "the check of the edge", remedy)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    parts = StratifiedGroupKFold(PARTS, shuffle=True, random_state=seed)
    said_N = cross_val_predict(
        model, border_colours(pixels_NHW3), truth_N, groups=group_N, cv=parts
    )
    n = len(truth_N)
    hits = int(np.count_nonzero(said_N == truth_N))
    return BorderCheck(accuracy=wilson(hits, n), chance=float(counts.max() / n))


def border_colours(pixels_NHW3: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return mean and standard deviation of each colour along each side [N, 24], of 0 to 1."""
    broad = max(1, round(BORDER * min(pixels_NHW3.shape[1:3])))
    sides = (
        pixels_NHW3[:, :broad],
        pixels_NHW3[:, -broad:],
        pixels_NHW3[:, :, :broad],
        pixels_NHW3[:, :, -broad:],
    )
    found = [figure(side, axis=(1, 2)) for side in sides for figure in (np.mean, np.std)]
    return np.concatenate(found, axis=1) / 255
