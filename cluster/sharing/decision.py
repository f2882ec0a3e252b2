"""Does a case go out? The first index decides; else the second is asked (S800-S840).

An index is made of counted accesses, so one platform that counts for nearly all of them could send
a case out by itself. An upload therefore stands only where the accesses come from more than one
platform, or where an operator has approved it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
class Origins:
    """Where the counted accesses of a case come from, and what is enough."""

    by_platform: Mapping[str, int]
    """Counted accesses of the period by the platform where they happened."""
    platform_share_max: float
    """Share of them that one platform may make; 1 lets every case pass."""
    approved: bool
    """An operator has said that the case may go out all the same."""


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
    """Decide on one case by its indexes.

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


def confirm(verdict: Verdict, origins: Origins) -> Verdict:
    """Let an upload stand where no single platform made it; else hold the case (S840).

    A case whose period has no counted access is held too, unless the share is 1.
    """
    total = sum(origins.by_platform.values())
    most = max(sorted(origins.by_platform), key=origins.by_platform.__getitem__, default="")
    count = origins.by_platform.get(most, 0)
    if verdict.outcome == "hold" or (count / total if total else 1) <= origins.platform_share_max:
        return verdict
    told = f"{count} of {total} accesses come from {most}" if total else "no access was counted"
    if origins.approved:
        return replace(verdict, reason=f"{verdict.reason}; {told}, approved by an operator")
    limit = f"at most {origins.platform_share_max:.0%} may come from one platform"
    return Verdict("hold", "none", f"{verdict.reason}; held, for {told} and {limit}")
