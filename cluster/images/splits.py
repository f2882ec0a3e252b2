"""Decides which images train, which choose, and which examine: by hashes, so for ever the same.

What belongs together stays together: all images of a person, and all near-duplicates. Such a group
goes where the hash of its least member says; whoever adds other images later moves none of it. The
parts are those of a hash, near their shares where groups are many, and no class is treated apart.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cluster.contracts.images import Split
from cluster.images.duplicates import Ints, components

TRAINING: Final = 0.80
VALIDATION: Final = 0.10
"""The rest is the test part."""


@dataclass(frozen=True)
class Parts:
    """Where each image goes."""

    splits: tuple[Split, ...]
    group_N: Ints


def place_of(key: str) -> Split:
    """Return the part of a key: uniform over keys, and the same on every machine."""
    digest = hashlib.sha256(f"split:{key}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < TRAINING:
        return "training"
    return "validation" if share < TRAINING + VALIDATION else "test"


def assign(files: Sequence[str], persons: Sequence[Sequence[str]], near_N: Ints) -> Parts:
    """Divide images.

    Args:
        files: SHA-256 of each file as it came, which no other version of a library changes.
        persons: ids of the people of each image; mostly one or none.
        near_N: group of near-duplicates of each image.
    """
    n = len(files)
    known = {name: at for at, name in enumerate(sorted({p for those in persons for p in those}))}
    owners = [(image, n + known[name]) for image, those in enumerate(persons) for name in those]
    owner_P2 = np.asarray(owners, np.int64).reshape(-1, 2)
    near_nodes = near_N + n + len(known)
    rows = np.concatenate([np.arange(n), owner_P2[:, 0]])
    columns = np.concatenate([near_nodes, owner_P2[:, 1]])
    n_nodes = n + len(known) + (int(near_N.max()) + 1 if n else 0)
    group_N = components(rows, columns, n_nodes)[:n]
    least: dict[int, str] = {}
    for image, group in enumerate(group_N.tolist()):
        keys = [_key("person", name) for name in persons[image]] or [_key("file", files[image])]
        best = min(keys)
        least[group] = min(least.get(group, best), best)
    where = {group: place_of(key) for group, key in least.items()}
    return Parts(tuple(where[group] for group in group_N.tolist()), group_N)


def _key(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()
