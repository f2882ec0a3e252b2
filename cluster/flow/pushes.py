"""What stands beside a shared case is pushed to who has it: what is new, changed or gone (S1030).

Items are told as their receiver may know them: of platforms that it may see, and own cases under
the name that they have there.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from cluster.contracts.related import RelatedItem
from cluster.contracts.sharing import Envelope
from cluster.flow import outbox
from cluster.flow.platform import Platform
from cluster.ids import canonical_json, key_of, sha256
from cluster.sharing.delivery import State
from cluster.sharing.refresh import may_see, new_or_changed
from cluster.storage import deliveries
from cluster.storage.cases import StoredCase


def push_new(
    tx: Connection,
    platform: Platform,
    case: StoredCase,
    best: Sequence[RelatedItem],
    targets: Sequence[str],
) -> int:
    """Replace what is kept beside a case; returns how many items were new or changed.

    A platform that may not have got the push before is told of all, so that this one stands alone.
    """
    case_id = case.case_id
    before = deliveries.get_related(tx, case_id)
    changed = new_or_changed(best, deliveries.related_digests(tx, case_id))
    deliveries.put_related(tx, case_id, changed)
    deliveries.keep_related(tx, case_id, [item.item_id for item in best])
    kept = {item.item_id for item in best}
    for peer in targets:
        standing = [item for item in best if may_see(item, peer)]
        names = tuple(_shown(platform, item, peer).item_id for item in standing)
        told = [item for item in changed if may_see(item, peer)]
        gone = [item for item in before if may_see(item, peer) and item.item_id not in kept]
        pushes = deliveries.related_pushes(tx, case_id, peer, case.round)
        if told or gone if pushes else standing:
            is_known = pushes and pushes[-1][1] is State.DELIVERED
            told = told if is_known else standing
            envelope = _push(platform, case, peer, told, names, len(pushes))
            outbox.queue(tx, platform, case, envelope)
    return len(changed)


def _shown(platform: Platform, item: RelatedItem, peer: str) -> RelatedItem:
    """Return an item as a receiver is told of it: own cases under the name that they have there."""
    own = item.kind == "case" and item.platform == platform.platform_id
    name = platform.shared_id(item.item_id, peer) if own else item.item_id
    return item.model_copy(update={"audience": (), "item_id": name})


def _push(
    platform: Platform,
    case: StoredCase,
    peer: str,
    told: Sequence[RelatedItem],
    standing: tuple[str, ...],
    number: int,
) -> Envelope:
    """Make a delivery of items; its number tells a return to an earlier state from that state."""
    shown = [_shown(platform, item, peer) for item in told]
    payload = canonical_json([item.model_dump() for item in shown])
    rounds = (case.round,) if case.round else ()
    about = key_of(platform.platform_id, case.case_id, peer, number, *rounds)
    key = key_of("related", about, sha256(payload), *standing)
    return outbox.addressed(platform, case, ("related", key), peer, payload, standing)
