"""A compiled model as onnxruntime runs it on a processor (C3).

Shapes: N images, S pixels of a side, K classes.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime

INPUT: Final = "image"
PROBABILITY: Final = "prob"
DISTANCE: Final = "distance"
BATCH: Final = 8

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Answers:
    """What a model says of N images."""

    p_NK: Floats
    distance_N: Floats | None
    """None of a model that measures none."""


class Graph:
    """One file of a model, loaded."""

    def __init__(self, content: bytes, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._outputs = [one.name for one in self._session.get_outputs()]

    def run(self, image_B3SS: Floats) -> Answers:
        """Answer for one batch of what the graph takes, float32 0..255."""
        found = dict(zip(self._outputs, self._session.run(None, {INPUT: image_B3SS}), strict=True))
        return Answers(found[PROBABILITY], found.get(DISTANCE))

    def answers(self, pixels_NSS3: Pixels) -> Answers:
        """Answer for any number of images."""
        return joined([self.run(one) for one in batches(pixels_NSS3)])


def batches(pixels_NSS3: Pixels, size: int = BATCH) -> list[Floats]:
    """Return uint8 pixels as the graph takes them: float32 [B, 3, S, S], so many at once."""
    return [
        np.ascontiguousarray(pixels_NSS3[at : at + size].transpose(0, 3, 1, 2), np.float32)
        for at in range(0, len(pixels_NSS3), size)
    ]


def joined(parts: list[Answers]) -> Answers:
    """Return the answers of batches as one."""
    distances = [one.distance_N for one in parts if one.distance_N is not None]
    return Answers(
        np.concatenate([one.p_NK for one in parts]),
        np.concatenate(distances) if distances else None,
    )
