"""Whether a case may be shared, and the proof of what was done with it (B9)."""

from cluster.errors import NotFound
from cluster.flow import recalls
from cluster.flow.platform import Platform
from cluster.storage import cases as case_rows
from cluster.storage import journal

OPERATOR = "operator"
"""Who runs jobs on the cluster."""


def set_consent(
    platform: Platform, case_id: str, *, state: str, consent: str, by: str = OPERATOR
) -> None:
    """Say whether an own case is active and may be shared, from this instant on.

    What may no longer be shared is parked where it is queued, and taken back from whom it was sent
    to: a recall is queued in the same transaction. What may be shared again goes out again.

    Args:
        platform: the case's home.
        case_id: of an own case.
        state: ``active`` or ``withdrawn``.
        consent: ``share`` or ``private``.
        by: name of the token over HTTP, else whoever runs jobs.

    Raises:
        NotFound: the platform has no such case of its own.
    """
    with platform.ledger.begin() as tx:
        case = case_rows.get_case(tx, case_id)
        if case is None or case.origin != platform.platform_id:
            what = "the platform has no such case of its own"
            raise NotFound(what, platform.platform_id, "Give the id that its phenopacket has.")
        was, now_is = _is_shareable(case.state, case.consent), _is_shareable(state, consent)
        case_rows.set_state(tx, case_id, state=state, consent=consent)
        if was and not now_is:
            reason = "consent_missing" if state == "active" else "case_not_active"
            recalls.take_back(tx, platform, case, reason)
        elif now_is and not was:
            recalls.share_again(tx, platform, case)
        facts = {
            "case": platform.shared_id(case_id, "audit"),
            "state": state,
            "consent": consent,
            "by": by,
        }
        journal.append_audit(tx, platform.clock.now(), "consent", facts)


def _is_shareable(state: str, consent: str) -> bool:
    return (state, consent) == ("active", "share")


def broken_audit_row(platform: Platform) -> int | None:
    """Return the first audit row that does not follow from the one before, if there is one."""
    with platform.ledger.begin() as tx:
        return journal.first_broken_audit_row(tx)
