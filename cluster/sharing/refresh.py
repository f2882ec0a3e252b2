"""Related material: what is new or changed since it was last pushed (S1010-S1040)."""

from collections.abc import Iterable, Mapping
from typing import Final

from cluster.clock import DAY_S
from cluster.contracts.sharing import RelatedItem
from cluster.ids import canonical_json, sha256

SCORE_MIN: Final = 0.1
"""Below this simGIC a case, and what reports it, is not called related."""


def is_due(refreshed_at: float | None, now: float, refresh_days: float) -> bool:
    """Say whether a shared case is to be asked again: never done, or the second period is over."""
    return refreshed_at is None or now - refreshed_at >= refresh_days * DAY_S


def digest_of(item: RelatedItem) -> str:
    """Return the digest that tells a changed item from one already pushed."""
    return sha256(canonical_json(item.model_dump()))


def best_items(items: Iterable[RelatedItem], cases_max: int) -> list[RelatedItem]:
    """Keep the best related cases and as many publications, each item once, best first."""
    best: dict[str, RelatedItem] = {}
    for item in sorted(items, key=lambda item: (-item.score, item.item_id)):
        best.setdefault(item.item_id, item)
    near = [item for item in best.values() if item.score >= SCORE_MIN]
    cases = [item for item in near if item.kind == "case"]
    literature = [item for item in near if item.kind == "literature"]
    return cases[:cases_max] + literature[:cases_max]


def may_see(item: RelatedItem, platform: str) -> bool:
    """Say whether a platform may be told of an item: it is its own, or it has the agreement."""
    return platform == item.platform or platform in item.audience


def new_or_changed(items: Iterable[RelatedItem], known: Mapping[str, str]) -> list[RelatedItem]:
    """Return the items whose digest differs from the one known by their id."""
    return [item for item in items if known.get(item.item_id) != digest_of(item)]
