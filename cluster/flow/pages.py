"""Lists of one platform a page at a time: decisions, outbox and inbox (S800-S1000).

``after`` is the ``next`` of the page before, empty for the first one.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from cluster.contracts.share import DecisionPage, DeliveryPage, InboxPage
from cluster.errors import InputError
from cluster.flow.platform import Platform
from cluster.flow.requests import PAGE_MAX
from cluster.storage import delivery_pages

T = TypeVar("T")


def decision_page(
    platform: Platform, after: str, limit: int, *, period_end: float | None, outcome: str
) -> DecisionPage:
    """Return decisions, of a period or an outcome or all, in the order in which they were made.

    Raises:
        InputError: the limit is out of range, or ``after`` is none of this list.
    """
    place = _place(after, limit)
    with platform.ledger.begin() as tx:
        found = delivery_pages.decisions_after(
            tx, place or 0, limit + 1, period_end=period_end, outcome=outcome
        )
    shown, following = _cut(found, limit)
    return DecisionPage(decisions=shown, next=following)


def delivery_page(
    platform: Platform, after: str, limit: int, chosen: Mapping[str, str]
) -> DeliveryPage:
    """Return the outbox, in the order in which it was queued.

    Args:
        platform: whose outbox it is.
        after: where the page begins.
        limit: rows.
        chosen: state, peer, kind, case_id or disease_id; empty for any.

    Raises:
        InputError: the limit is out of range, or ``after`` is none of this list.
    """
    place = _place(after, limit)
    with platform.ledger.begin() as tx:
        found = delivery_pages.deliveries_after(tx, place or 0, limit + 1, **chosen)
    shown, following = _cut(found, limit)
    return DeliveryPage(deliveries=shown, next=following)


def inbox_page(platform: Platform, after: str, limit: int, chosen: Mapping[str, str]) -> InboxPage:
    """Return what was received, the last first.

    Args:
        platform: whose inbox it is.
        after: where the page begins.
        limit: rows.
        chosen: sender, kind, case_id or disease_id; empty for any.

    Raises:
        InputError: the limit is out of range, or ``after`` is none of this list.
    """
    place = _place(after, limit)
    with platform.ledger.begin() as tx:
        found = delivery_pages.received_before(tx, place, limit + 1, **chosen)
    shown, following = _cut(found, limit)
    return InboxPage(received=shown, next=following)


def _place(after: str, limit: int) -> int | None:
    if not 1 <= limit <= PAGE_MAX:
        what = f"limit is {limit}"
        raise InputError(what, "limit", f"Ask for 1 to {PAGE_MAX}.")
    if not after:
        return None
    if not (after.isascii() and after.isdigit() and len(after) <= len(str(2**62))):
        what = "this list has no such place"
        raise InputError(what, "after", "Give the next of the page before.")
    return min(int(after), 2**62)


def _cut(found: Sequence[tuple[int, T]], limit: int) -> tuple[tuple[T, ...], str | None]:
    """Return the rows of a page and where the next one begins; one row more than those is given."""
    shown = found[:limit]
    return tuple(row for _, row in shown), str(shown[-1][0]) if len(found) > limit else None
