"""Does a case go out? The first index decides; else the second is asked (S800-S840)."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class IndexRange:
    """The preset index: a range, ends included."""

    low: float
    high: float

    def holds(self, index: float) -> bool:
        """Say whether an index lies in the range."""
        return self.low <= index <= self.high

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g}]"


@dataclass(frozen=True)
class Verdict:
    """The outcome, which index made it, and why in words."""

    outcome: Literal["upload", "hold"]
    decided_by: Literal["first", "second", "none"]
    reason: str


def returns(first: float, preset: IndexRange) -> bool:
    """Say whether the return instruction is given: the second index is to be asked (S820)."""
    return not preset.holds(first)


def decide(first: float, second: float | None, preset: IndexRange) -> Verdict:
    """Decide on one case.

    Args:
        first: the first prediction index.
        second: the second prediction index; None where no second model has been accepted. It is
            looked at only after the return instruction.
        preset: the preset index.
    """
    if preset.holds(first):
        return Verdict("upload", "first", f"first index {first:.3f} lies in {preset}")
    asked = f"first index {first:.3f} lies outside {preset}; return instruction"
    if second is None:
        return Verdict("hold", "none", f"{asked}; there is no second model")
    if preset.holds(second):
        return Verdict("upload", "second", f"{asked}; second index {second:.3f} lies in it")
    return Verdict("hold", "none", f"{asked}; second index {second:.3f} lies outside too")
