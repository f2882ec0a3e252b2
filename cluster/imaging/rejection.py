"""Tells images of another kind by where their features lie (C10; Lee 2018).

A rule on probability fails: a head on fixed features is surer of an X-ray than of a blood cell. So
the distance to the nearest class is measured in features of a layer in the middle: principal
components, whitened by the spread within classes (Ledoit 2004). An unseen class that looks like a
known one is not reliably told by this or any other score.

Shapes: N images, F features, D components, K classes.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

Floats = NDArray[np.float32]
COMPONENTS_MAX: Final = 128
KEPT: Final = 0.95
MARGIN: Final = 1.5


@dataclass(frozen=True)
class Rejection:
    """Where the known images lie; ``distance`` is the Euclidean one after the projection."""

    mean_F: Floats
    weight_DF: Floats
    """Principal components, whitened."""
    class_means_KD: Floats
    """Mean of each class after the projection."""

    def distance(self, features_NF: Floats) -> Floats:
        """Return [N]: to the nearest class."""
        z_ND = (features_NF - self.mean_F) @ self.weight_DF.T
        d_NK = np.linalg.norm(z_ND[:, None] - self.class_means_KD[None], axis=2)
        return np.asarray(d_NK.min(1), np.float32)


def fit_rejection(features_NF: Floats, truth_N: NDArray[np.int64], n_classes: int) -> Rejection:
    """Learn where the training images lie.

    Args:
        features_NF: of training images as they are, unchanged.
        truth_N: their classes; each has at least one image.
        n_classes: K.
    """
    mean_F = features_NF.mean(0)
    centred_NF = (features_NF - mean_F).astype(np.float64)
    n_components = min(COMPONENTS_MAX, len(centred_NF) - n_classes, centred_NF.shape[1])
    _, _, rotation_FF = np.linalg.svd(centred_NF, full_matrices=False)
    component_DF = rotation_FF[: max(n_components, 1)]
    z_ND = centred_NF @ component_DF.T
    class_means_KD = np.stack([z_ND[truth_N == k].mean(0) for k in range(n_classes)])
    covariance_DD, _ = ledoit_wolf(z_ND - class_means_KD[truth_N], assume_centered=True)
    values_D, vectors_DD = np.linalg.eigh(covariance_DD)
    whiten_DD = (vectors_DD / np.sqrt(np.maximum(values_D, 1e-12))).T
    return Rejection(
        mean_F=mean_F.astype(np.float32),
        weight_DF=(whiten_DD @ component_DF).astype(np.float32),
        class_means_KD=(class_means_KD @ whiten_DD.T).astype(np.float32),
    )


def threshold_of(distance_N: Floats) -> float:
    """Return the distance above which an image is outside.

    Beyond the distance that ``KEPT`` of the validation images do not exceed lies the margin: a
    tail that a few images show badly, and images of the same kind from elsewhere. Other kinds of
    images lie at several times that distance.

    Args:
        distance_N: of images that nothing was learned from.
    """
    return float(MARGIN * np.quantile(distance_N, KEPT))
