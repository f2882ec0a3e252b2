"""Decides which versions of an image model may be fetched, and which one serves (C4, C9, C11).

The history of changes is the truth; states and the serving version follow from it. A version waits
(pending) until it is published or refused; a published one may be retired. The one published last
serves, unless it is older than the one that serves; an operator may let an earlier one serve again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.contracts.image_models import Bundle, ListedModel, ModelList, State
from cluster.contracts.registry import Action, ModelChange
from cluster.errors import Conflict, InputError, NotFound

WITH_REASON: Final = frozenset({"pending", "refused", "retired"})
"""Changes whose reason is shown in the list until the next one."""
PUBLIC: Final[frozenset[State]] = frozenset({"published", "retired"})
"""States of versions that everybody may know of; the files of the published ones only."""
FROM: Final[Mapping[Action, State]] = {
    "published": "pending",
    "refused": "pending",
    "retired": "published",
    "served": "published",
}
"""The state that a version must have for a change."""
NUMBER: Final = re.compile(r"[0-9]{1,7}")
START: Final = re.compile(r"[0-9a-f]{8,64}")


@dataclass
class Standing:
    """What follows from a history."""

    states: dict[str, State] = field(default_factory=dict)
    """By version."""
    reasons: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    """By version: 1 for the first of its name."""
    serving: dict[str, str] = field(default_factory=dict)
    """Version by name."""
    names: dict[str, list[str]] = field(default_factory=dict)
    """Versions by name, oldest first."""

    def take(self, change: ModelChange) -> None:
        """Go one step on in the history."""
        version, name = change.version, change.name
        if version not in self.states:
            versions = self.names.setdefault(name, [])
            versions.append(version)
            self.numbers[version] = len(versions)
        if change.action == "served":
            self.serving[name] = version
            return
        self.states[version] = change.action
        self.reasons[version] = change.reason if change.action in WITH_REASON else ""
        if change.action == "published" and self._is_newest(version, name):
            self.serving[name] = version
        if change.action == "retired" and self.serving.get(name) == version:
            self._fall_back(version, name)

    def _is_newest(self, version: str, name: str) -> bool:
        before = self.serving.get(name)
        return before is None or self.numbers[version] > self.numbers[before]

    def _fall_back(self, version: str, name: str) -> None:
        """Let the newest earlier published version serve, or none."""
        del self.serving[name]
        earlier = self.names[name][: self.numbers[version] - 1]
        for one in reversed(earlier):
            if self.states[one] == "published":
                self.serving[name] = one
                return


def standing_of(changes: Iterable[ModelChange]) -> Standing:
    """Return what follows from a history, oldest change first."""
    standing = Standing()
    for change in changes:
        standing.take(change)
    return standing


def entry_of(
    bundle: Bundle, version: str, parent: str, names: Mapping[str, str], at: float
) -> ListedModel:
    """Return what the list says of a bundle for good; number and state follow from the history.

    Args:
        bundle: what is listed.
        version: SHA-256 of its ``bundle.json``.
        parent: the version of the same name that it follows; empty for the first.
        names: name of each disease, by the ids that its labels are bound to.
        at: seconds since 1970 UTC.
    """
    diseases = tuple(dict.fromkeys(one.disease_id for one in bundle.labels if one.disease_id))
    card, metrics = bundle.card, bundle.card.metrics
    return ListedModel(
        name=bundle.name,
        version=version,
        number=1,
        state="pending",
        serving=False,
        listed_at=at,
        labels=bundle.label_names,
        diseases=diseases,
        disease_names=tuple(names[one] for one in diseases),
        backbone=card.backbone,
        sizes={one.name: one.size for one in bundle.variants},
        made_by=card.made_by,
        accuracy=metrics.accuracy.share if metrics else None,
        accuracy_interval=metrics.accuracy if metrics else None,
        macro_auroc=metrics.macro_auroc if metrics else None,
        tells_outside=all(one.outside_above is not None for one in bundle.variants),
        summary=card.summary,
        parent=parent,
    )


def list_of(entries: Iterable[ListedModel], changes: Sequence[ModelChange]) -> ModelList:
    """Return every version as its history has left it, oldest first.

    ``made_at`` is the time of the last change, so the same history gives the same list.
    """
    standing = standing_of(changes)
    models = tuple(
        entry.model_copy(
            update={
                "number": standing.numbers[entry.version],
                "state": standing.states[entry.version],
                "reason": standing.reasons[entry.version],
                "serving": standing.serving.get(entry.name) == entry.version,
            }
        )
        for entry in entries
    )
    return ModelList(made_at=changes[-1].at if changes else 0.0, models=models)


def public_part(models: ModelList, missing: Iterable[str] = ()) -> ModelList:
    """Return what everybody may know: published and retired versions.

    Args:
        models: every version.
        missing: published versions whose files are not whole, which are not offered.
    """
    left_out = set(missing)
    shown = (one for one in models.models if one.state in PUBLIC and one.version not in left_out)
    return models.model_copy(update={"models": tuple(shown)})


def chosen(models: ModelList, name: str, which: str) -> ListedModel:
    """Return the version that an operator names.

    Args:
        models: every version.
        name: of the model.
        which: its number, or the first eight or more characters of its version.

    Raises:
        InputError: ``which`` is neither.
        NotFound: there is no such version of the name.
    """
    if not NUMBER.fullmatch(which) and not START.fullmatch(which):
        what = f"{which[:80]!r} names no version"
        remedy = "Give its number, or the first 8 or more characters of its digest."
        raise InputError(what, "--version", remedy)
    own = [one for one in models.models if one.name == name]
    found = [one for one in own if _is_meant(one, which)]
    if len(found) != 1:
        what = f"there is no version {which} of the image model {name[:80]}"
        known = ", ".join(str(one.number) for one in own) or "none"
        raise NotFound(what, remedy=f"Known numbers are: {known}.")
    return found[0]


def _is_meant(model: ListedModel, which: str) -> bool:
    if NUMBER.fullmatch(which):
        return model.number == int(which)
    return model.version.startswith(which)


def is_change(model: ListedModel, action: Action) -> bool:
    """Say whether a change changes anything; the same one twice does not.

    Raises:
        Conflict: the state of the version does not allow it.
    """
    if model.serving if action == "served" else model.state == action:
        return False
    wanted = FROM.get(action)
    if model.state != wanted:
        what = f"version {model.number} of {model.name} is {model.state}, not {wanted}"
        remedy = "See python -m jobs.list_models --all."
        raise Conflict(what, model.version, remedy)
    return True
