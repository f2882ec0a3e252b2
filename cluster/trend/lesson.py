"""What a model learns from: windows with what came after them, shape by shape (S610-S620)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cluster.contracts.trend import Channel
from cluster.trend.artefact import ShapeProfile
from cluster.trend.exam import Exam
from cluster.trend.features import Features, windows_to_features
from cluster.trend.folds import fold, require_all
from cluster.trend.labels import Thresholds, labels, outcomes, thresholds
from cluster.trend.windows import Shape, without


@dataclass(frozen=True)
class Lesson:
    """Windows with labels, and what is known of their shapes."""

    exam: Exam
    shapes: tuple[ShapeProfile, ...]
    """Of the network, in its order."""


def prepare(
    windows: pa.Table, known: Sequence[ShapeProfile] = (), left_out: Collection[Channel] = ()
) -> Lesson:
    """Divide windows with labels among the members, and see which shapes there are.

    Args:
        windows: rows of the ``WINDOWS`` schema whose horizon has passed.
        known: shapes that a model has; they keep their places and thresholds. Others come after.
        left_out: channels that are not looked at.

    Raises:
        WindowInvalid: a window is not usable or has no label, or there are too few items of a
            shape that is new.
    """
    table = without(windows, left_out)
    features, folds = windows_to_features(table), fold(table["item_id"])
    limits = thresholds(outcomes(table), features)
    limits |= {profile.shape: profile.thresholds for profile in known}
    places = {profile.shape: place for place, profile in enumerate(known)}
    shapes = list(known)
    for place, shape in enumerate(features.shapes):
        if shape in places:
            continue
        places[shape] = len(shapes)
        shapes.append(_described(table, features, place, limits[shape]))
        require_all(folds.at(features.shape_W == place), str(shape))
    if not shapes:
        require_all(folds, "access windows")
    place_S = np.array([places[shape] for shape in features.shapes], dtype=np.int64)
    exam = Exam(
        features=features,
        labels=labels(table, features, limits),
        folds=folds,
        place_W=place_S[features.shape_W] if len(place_S) else features.shape_W,
        items=table["item_id"],
    )
    return Lesson(exam, tuple(shapes))


def _described(table: pa.Table, features: Features, place: int, limits: Thresholds) -> ShapeProfile:
    """Describe one shape of windows: whose they are, how long their bins are, what is hot."""
    shape: Shape = features.shapes[place]
    rows = np.flatnonzero(features.shape_W == place)
    names = sorted(set(map(str, table["platform"].take(rows).to_pylist())))
    days_R = features.bin_days_W[rows]
    return ShapeProfile(
        name=names[0] if len(names) == 1 else f"{len(names)} platforms",
        n_obs=shape.n_obs,
        n_fut=shape.n_fut,
        bin_days=(float(days_R.min()), float(days_R.max())),
        hot_threshold_log2=limits.hot,
        surge_threshold_log2=limits.surge,
    )
