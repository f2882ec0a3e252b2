"""The platform feature tag: what platforms are managed and chosen by (S100, S200, S900)."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from cluster.contracts.sharing import Peer, PlatformTag


def mix_of(categories: Iterable[str]) -> dict[str, float]:
    """Return the share of each category among a platform's cases, most common first."""
    counts = Counter(categories)
    total = counts.total()
    return {name: round(n / total, 6) for name, n in counts.most_common()} if total else {}


def similarity(mix: Mapping[str, float], category: str) -> float:
    """Return the cosine between a platform's mix and a case of one category, 0 to 1."""
    length = math.sqrt(sum(share * share for share in mix.values()))
    return mix.get(category, 0.0) / length if length else 0.0


def related_platforms(peers: Iterable[Peer], category: str) -> tuple[str, ...]:
    """Choose the platforms a case may go to: linked and agreed, nearest to its field first."""
    allowed = [peer for peer in peers if peer.linked and peer.agreed]
    allowed.sort(key=lambda peer: (-similarity(peer.mix, category), peer.peer_id))
    return tuple(peer.peer_id for peer in allowed)


def tags_by(tags: Sequence[PlatformTag], facet: str) -> dict[str, list[str]]:
    """Group platform ids by the values of a facet; a platform may stand in several groups."""
    groups: dict[str, list[str]] = {}
    for tag in tags:
        value = getattr(tag.profile, facet)
        for name in value if isinstance(value, tuple) else (str(value),):
            groups.setdefault(name, []).append(tag.profile.platform_id)
    return dict(sorted(groups.items()))
