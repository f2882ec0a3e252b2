"""What a trained network says of images, in float32 as devices compute (C2, C10)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from cluster.imaging.lesson import Ints, Lesson
from cluster.imaging.network import ImageNetwork

AT_ONCE: Final = 32


@dataclass(frozen=True)
class Evaluated:
    """Logits [N, K], features [N, F] and classes [N] of some images."""

    logits_NK: NDArray[np.float32]
    features_NF: NDArray[np.float32]
    truth_N: Ints


def evaluate(network: ImageNetwork, lesson: Lesson, rows: Ints) -> Evaluated:
    """Let a network see images as they are."""
    network.eval()
    logits, features = [], []
    for start in range(0, len(rows), AT_ONCE):
        batch = lesson.batch(rows[start : start + AT_ONCE]).float()
        with torch.no_grad():
            found = network(batch.contiguous(memory_format=torch.channels_last))
        logits.append(found.logits.numpy())
        features.append(found.features.numpy())
    return Evaluated(np.concatenate(logits), np.concatenate(features), lesson.truth_N[rows])
