"""The SIMULATED network over which simulated accesses travel: a ring of platforms with chords."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cluster.errors import InputError
from cluster.ids import key_of

Floats = npt.NDArray[np.float64]

CHORD_SHARE: Final = 0.35  # of the pairs of platforms that are not neighbours on the ring
LINK_WEIGHT_MIN: Final = 0.2


@dataclass(frozen=True, eq=False)
class SimulatedNetwork:
    """Interconnected platforms."""

    platforms: tuple[str, ...]
    sizes: Floats
    """Share of the users on each platform; adds up to 1."""
    weights: Floats
    """Probability that a share which leaves a platform (row) is read on another (column)."""


def simulated_network(platforms: Sequence[str], seed: int) -> SimulatedNetwork:
    """Link platforms by a ring and random chords, with random sizes and weights.

    Args:
        platforms: distinct platform ids.
        seed: the same platforms and seed give the same network.

    Raises:
        InputError: there is no platform, or one is named twice.
    """
    check_distinct(platforms, "platform")
    n = len(platforms)
    if not n:
        what = "a network without platforms"
        raise InputError(what, remedy="Name at least one platform.")
    rng = np.random.default_rng(seed_of("network", seed))
    sizes = rng.lognormal(0.0, 1.0, n)
    chords = rng.random((n, n)) < CHORD_SHARE
    strength = rng.uniform(LINK_WEIGHT_MIN, 1.0, (n, n))
    here = np.arange(n)
    chords[here, (here + 1) % n] = True
    linked = np.triu(chords | chords.T, 1)
    weights = np.where(linked, strength, 0.0)
    weights += weights.T
    total = weights.sum(axis=1, keepdims=True)
    return SimulatedNetwork(
        platforms=tuple(platforms),
        sizes=sizes / sizes.sum(),
        weights=np.divide(weights, total, out=np.zeros_like(weights), where=total > 0),
    )


def seed_of(*parts: str | int) -> int:
    """Return a seed that is its own for each purpose."""
    return int(key_of("simulation", *parts), 16)


def check_distinct(names: Sequence[str], of_what: str) -> None:
    """Refuse names that are not distinct.

    Raises:
        InputError: a name stands twice.
    """
    if len(set(names)) != len(names):
        what = f"a {of_what} is named twice"
        raise InputError(what, remedy=f"Name each {of_what} once.")
