"""What a training run does in which step: order and learning rate (C2)."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from cluster.contracts.image_training import ImageFitConfig
from cluster.imaging.lesson import Ints
from cluster.learning.shard import Shard

WARM_UP: Final = 0.25
START_SHARE: Final = 1 / 25
"""Of the learning rate, at the first step."""


def batches(training: Ints, config: ImageFitConfig, number: int, shard: Shard) -> Iterator[Ints]:
    """Yield this rank's rows of every batch of a pass, in an order that all ranks agree on.

    What is left over after whole batches waits for another pass, as a batch of one image has no
    statistics.

    Args:
        training: rows of the training images.
        config: seed and size of a batch.
        number: of the pass, from 0 on.
        shard: which part this process takes.
    """
    size = max(config.batch_size // shard.world, 2) * shard.world
    order = np.random.default_rng([config.seed, number]).permutation(training)
    if len(order) < size:
        order = np.resize(order, size)
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size][shard.rank :: shard.world]


def rate_share(done: float) -> float:
    """Return the share of the highest learning rate: one cycle of two cosines (Smith 2018).

    Args:
        done: share of the steps that are done, 0 to 1.
    """
    if done < WARM_UP:
        return START_SHARE + (1 - START_SHARE) * (1 - math.cos(math.pi * done / WARM_UP)) / 2
    return (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
