"""Which part of the work a process takes that trains together with others (B8)."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Shard:
    """Which part of every batch this process takes."""

    rank: int = 0
    world: int = 1
    sum_over_ranks: Callable[[Tensor], Tensor] = lambda figures: figures
    """Adds figures over all processes and gives every one the sum."""
