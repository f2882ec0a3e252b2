"""Related material: what is new or changed since it was last pushed (S1010-S1040)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cluster.clock import DAY_S
from cluster.contracts.related import RelatedItem
from cluster.ids import canonical_json, sha256

SCORE_MIN: Final = 0.1
"""Below this simGIC a case, and what reports it, is not called related."""


def is_due(answered_at: float | None, now: float, refresh_days: float) -> bool:
    """Say whether a source is to be asked again: never answered, or the second period is over."""
    return answered_at is None or now - answered_at >= refresh_days * DAY_S


def digest_of(item: RelatedItem) -> str:
    """Return the digest that tells a changed item from one already pushed."""
    return sha256(canonical_json(item.model_dump()))


def place_of(item: RelatedItem) -> tuple[str, float, int, str]:
    """Return an item's place: cases, then publications; best first; of equal ones the newer."""
    digits = item.item_id.removeprefix("PMID:")
    newer = int(digits) if digits.isascii() and digits.isdigit() else 0
    return item.kind, -item.score, -newer, item.item_id


def merged(items: Iterable[RelatedItem]) -> list[RelatedItem]:
    """Make one item of all that name the same case or publication.

    What a public source says of a publication stands alone: that a platform has a case of it
    is for those only who may see that case. Of several public sources the first gives the title,
    and each its reason.
    """
    groups: dict[str, list[RelatedItem]] = {}
    for item in items:
        groups.setdefault(item.item_id, []).append(item)
    return [_one_of(group) for group in groups.values()]


def best_items(items: Iterable[RelatedItem], related_max: int) -> list[RelatedItem]:
    """Keep the best related cases and as many publications, each item once, best first."""
    near = sorted((one for one in merged(items) if one.score >= SCORE_MIN), key=place_of)
    cases = [item for item in near if item.kind == "case"]
    literature = [item for item in near if item.kind == "literature"]
    return cases[:related_max] + literature[:related_max]


def is_public(item: RelatedItem) -> bool:
    """Say whether an item is nobody's: a publication that a source outside the network named."""
    return item.kind == "literature" and not item.platform


def may_see(item: RelatedItem, platform: str) -> bool:
    """Say whether a platform may be told of an item: public, its own, or it has the agreement."""
    return is_public(item) or platform == item.platform or platform in item.audience


def new_or_changed(items: Iterable[RelatedItem], known: Mapping[str, str]) -> list[RelatedItem]:
    """Return the items whose digest differs from the one known by their id."""
    return [item for item in items if known.get(item.item_id) != digest_of(item)]


def _one_of(group: Sequence[RelatedItem]) -> RelatedItem:
    public = [item for item in group if is_public(item)]
    if not public:
        return min(group, key=lambda item: (place_of(item), item.platform, item.why))
    return public[0].model_copy(
        update={
            "score": max(item.score for item in public),
            "why": "; ".join(dict.fromkeys(item.why for item in public)),
            "source": ", ".join(dict.fromkeys(item.source for item in public)),
        }
    )
