"""Decides whether what is left of a set is enough to train on."""

from collections.abc import Sequence
from typing import Final

from cluster.contracts.images import SPLITS, ClassCounts, ImageFinding
from cluster.images.names import shown

CLASSES_MIN: Final = 2
KEPT_MIN: Final = 5
KEPT_USABLE: Final = 20
KEPT_GOOD: Final = 50
IMBALANCE_MAX: Final = 10
MORE: Final = "Add images of other people, or leave the class out."


def judge(classes: Sequence[ClassCounts]) -> list[ImageFinding]:
    """Return what speaks against the classes as they are after cleaning."""
    findings = []
    if len(classes) < CLASSES_MIN:
        message = f"{len(classes)} classes; at least {CLASSES_MIN} are needed"
        remedy = "Give one folder for each class, named for it, with its images."
        findings.append(_finding("refused", "classes_too_few", "", message, remedy))
    for one in classes:
        findings += _class_findings(one)
    sizes = {one.name: one.kept for one in classes if one.kept >= KEPT_MIN}
    if sizes and max(sizes.values()) > IMBALANCE_MAX * min(sizes.values()):
        large, small = (pick(sizes, key=sizes.__getitem__) for pick in (max, min))
        message = (
            f"{shown(large)} has {sizes[large]:,} images and {shown(small)} {sizes[small]:,}: "
            f"over {IMBALANCE_MAX} to 1"
        )
        findings.append(_finding("warning", "classes_unbalanced", "", message, MORE))
    return findings


def _class_findings(one: ClassCounts) -> list[ImageFinding]:
    if one.kept < KEPT_MIN:
        message = f"{one.kept} usable images; fewer than {KEPT_MIN} teach nothing"
        return [_finding("refused", "class_too_small", one.name, message, MORE)]
    findings = []
    if one.kept < KEPT_GOOD:
        message = f"{one.kept} usable images; {KEPT_USABLE} are the least, {KEPT_GOOD} are advised"
        findings.append(_finding("warning", "class_small", one.name, message, MORE))
    empty = [split for split in SPLITS if getattr(one, split) == 0]
    if empty:
        message = f"no image of it is in {' and '.join(empty)}: it cannot be judged there"
        findings.append(_finding("warning", "split_empty", one.name, message, MORE))
    return findings


def _finding(level: str, code: str, place: str, message: str, remedy: str) -> ImageFinding:
    return ImageFinding(level=level, code=code, place=shown(place), message=message, remedy=remedy)
