"""The rare feature: how hot a case is within its own field, now (S350, S360)."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SHRINKAGE: Final = 10.0
"""Accesses that every case is given beforehand, so that one click in an empty field is not hot."""


def rare_features(
    accesses: npt.NDArray[np.int64], categories: "pa.Array[Any]"
) -> npt.NDArray[np.float64]:
    """Return each case's accesses relative to its category's mean, shrunk towards 1 [C].

    Args:
        accesses: clicks and usages of each case in the period [C].
        categories: the category of each case [C].
    """
    if not len(accesses):
        return np.zeros(0)
    encoded: Any = categories.dictionary_encode()
    field = np.asarray(encoded.indices)
    means = np.bincount(field, weights=accesses) / np.bincount(field)
    heat: npt.NDArray[np.float64] = (accesses + SHRINKAGE) / (means[field] + SHRINKAGE)
    return heat
