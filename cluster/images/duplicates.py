"""Decides which images are the same and which are nearly the same.

Equal pixels within a class: the first by name counts. Equal pixels in two classes: one label is
wrong and nobody knows which, so none of them counts. Nearly equal: at most ``NEAR_BITS_MAX`` of the
256 bits of the difference hashes differ; these are kept, named, and stay in one split.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

HASH_BITS: Final = 256
NEAR_BITS_MAX: Final = 14
"""Of published images that are no duplicates the nearest differ in 19 (chest X-rays) and 76 (blood
cells). The same X-ray at half size or as JPEG of quality 50 differs in up to 11, the same cell in 7
in the median.
"""
ROWS: Final = 256
PAIRS_LISTED_MAX: Final = 1000

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Repeated:
    """Images with equal pixels."""

    kept: int | None
    """The one that counts; None where they stand in several classes."""
    left_out: tuple[int, ...]


def repeated(pixels: Sequence[str], labels: Sequence[str]) -> list[Repeated]:
    """Group images with equal pixels; places in the lists, which are sorted by name."""
    places = defaultdict[str, list[int]](list)
    for place, digest in enumerate(pixels):
        places[digest].append(place)
    groups = [group for group in places.values() if len(group) > 1]
    return [
        Repeated(None, tuple(group))
        if len({labels[place] for place in group}) > 1
        else Repeated(group[0], tuple(group[1:]))
        for group in groups
    ]


@dataclass(frozen=True)
class Near:
    """Which images are nearly the same."""

    group_N: Ints
    """Number of the group; those who are linked through others are in one."""
    pairs_P2: Ints
    """Pairs of places, those in different classes first; at most ``PAIRS_LISTED_MAX``."""
    bits_P: Ints
    """Bits in which a pair differs."""
    n_across: int
    """All pairs in different classes."""
    n_within: int


def near_duplicates(hashes: Sequence[bytes], labels: Sequence[str]) -> Near:
    """Compare every image with every other: exact, in blocks, as products of matrices.

    50,000 images take seconds; memory grows with the images, not with the pairs.
    """
    n = len(hashes)
    packed = np.frombuffer(b"".join(hashes), np.uint8).reshape(n, HASH_BITS // 8)
    signs_NB = np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1
    _, codes = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
    group_N = np.arange(n, dtype=np.int64)
    across, within = _Listing(), _Listing()
    least = HASH_BITS - 2 * NEAR_BITS_MAX
    for start in range(0, n, ROWS):
        alike_RC = signs_NB[start : start + ROWS] @ signs_NB[start:].T
        near_RC = np.triu(alike_RC >= least, 1)
        if not near_RC.any():
            continue
        group_N = _joined(group_N, near_RC, start)
        differ_RC = codes[start : start + ROWS, None] != codes[None, start:]
        for listing, chosen_RC in ((across, near_RC & differ_RC), (within, near_RC & ~differ_RC)):
            listing.add(chosen_RC, alike_RC, start)
    listed = np.concatenate([*across.pairs, *within.pairs])[:PAIRS_LISTED_MAX]
    return Near(group_N, listed[:, :2], listed[:, 2], across.n, within.n)


class _Listing:
    """Pairs of one kind: the first are listed, all are counted."""

    def __init__(self) -> None:
        self.pairs = [np.empty((0, 3), np.int64)]
        self.n = 0

    def add(self, chosen_RC: Bools, alike_RC: Floats, start: int) -> None:
        left = PAIRS_LISTED_MAX - self.n
        self.n += int(np.count_nonzero(chosen_RC))
        if left > 0:
            places = np.flatnonzero(chosen_RC)[:left]
            rows, columns = np.unravel_index(places, chosen_RC.shape)
            bits = (HASH_BITS - alike_RC[rows, columns]) / 2
            found = np.stack([rows + start, columns + start, bits], axis=1)
            self.pairs.append(found.astype(np.int64))


def _joined(group_N: Ints, near_RC: Bools, start: int) -> Ints:
    """Return groups after the pairs of a block were joined.

    Every column is linked to its first row only, and rows that share a column to each other: the
    same groups with few links, however many pairs there are. A group is a node beside the images.
    """
    n = group_N.size
    columns = np.flatnonzero(near_RC.any(axis=0))
    linked_RC = near_RC[:, columns]
    ones_RC = linked_RC.astype(np.float32)
    one, other = np.nonzero(ones_RC @ ones_RC.T)
    rows_L = np.concatenate([np.arange(n), linked_RC.argmax(axis=0) + start, one + start])
    columns_L = np.concatenate([group_N + n, columns + start, other + start])
    return components(rows_L, columns_L, 2 * n)[:n]


def components(rows: Ints, columns: Ints, n: int) -> Ints:
    """Number the parts of a graph of ``n`` places, whose links are pairs."""
    links = csr_array((np.ones(rows.size, np.int8), (rows, columns)), shape=(n, n))
    _, labels = connected_components(links, directed=False)
    return np.asarray(labels, np.int64)
