"""One delivery, event by event."""

import pytest

from cluster.sharing.delivery import (
    BACKOFF_S,
    BACKOFF_S_MAX,
    TRANSITIONS,
    Delivery,
    Event,
    State,
    claim,
    is_due,
    settle,
)


def a_delivery(**changes: object) -> Delivery:
    start = Delivery("d1", State.QUEUED, 0, 100.0, "", 0, 0.0)
    return Delivery(**(start.__dict__ | changes))


CLAIMED = a_delivery(state=State.CLAIMED, attempts=1, epoch=1, owner="c1", lease_until=160.0)


@pytest.mark.parametrize(
    ("delivery", "now", "due"),
    [
        (a_delivery(), 99.9, False),
        (a_delivery(), 100.0, True),
        (CLAIMED, 159.9, False),
        (CLAIMED, 160.0, True),
        (a_delivery(state=State.DELIVERED), 1e9, False),
        (a_delivery(state=State.PARKED), 1e9, False),
    ],
)
def test_what_is_due(delivery: Delivery, now: float, due: bool) -> None:
    """A11: a queued one from its time on, a claimed one after its lease, a settled one never."""
    assert is_due(delivery, now) is due


def test_a_claim_names_owner_lease_and_epoch() -> None:
    """A11: a claim is an attempt, with an owner, for a while, under a new epoch."""
    taken = claim(a_delivery(), "c1", now=100.0, lease_s=60.0)
    assert taken == CLAIMED
    again = claim(taken, "c2", now=160.0, lease_s=60.0)
    assert (again.owner, again.epoch, again.attempts, again.lease_until) == ("c2", 2, 2, 220.0)


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (Event.RECEIPT, State.DELIVERED),
        (Event.REFUSAL, State.PARKED),
        (Event.DENY, State.PARKED),
        (Event.SILENCE, State.QUEUED),
        (Event.RELEASE, State.QUEUED),
    ],
)
def test_how_an_attempt_may_end(event: Event, state: State) -> None:
    """A11: receipt delivers, refusal and denial park, silence and release queue again."""
    settled = settle(CLAIMED, event, now=110.0, attempts_max=8, reason="because")
    assert settled.state is state
    if event is not Event.RELEASE:
        assert settled.reason == "because"


def test_the_last_silence_parks() -> None:
    """A11: after the last attempt a delivery is parked with its reason, not lost."""
    for attempts, state in [(7, State.QUEUED), (8, State.PARKED), (9, State.PARKED)]:
        last = a_delivery(state=State.CLAIMED, attempts=attempts, epoch=attempts)
        settled = settle(last, Event.SILENCE, now=110.0, attempts_max=8)
        assert settled.state is state
        assert (settled.reason == "attempts_used_up") == (state is State.PARKED)


def test_a_release_can_be_claimed_at_once_and_fences_the_late_owner() -> None:
    """A11: what a dead courier left is due now, and its late settlement has an old epoch."""
    released = settle(CLAIMED, Event.RELEASE, now=110.0, attempts_max=8)
    assert is_due(released, 110.0)
    assert released.epoch > CLAIMED.epoch


@pytest.mark.parametrize("attempts", [1, 2, 5, 20, 1023, 1024, 5000])
def test_back_off_stays_within_its_doubling_span(attempts: int) -> None:
    """A11: the wait lies between now and a doubling span, capped, for any number of attempts."""
    tried = a_delivery(state=State.CLAIMED, attempts=attempts, epoch=attempts)
    settled = settle(tried, Event.SILENCE, now=1000.0, attempts_max=10_000)
    span = BACKOFF_S_MAX if attempts > 10 else min(BACKOFF_S_MAX, BACKOFF_S * 2**attempts)
    assert 1000.0 <= settled.next_at <= 1000.0 + span


def test_back_off_is_spread_over_deliveries_and_replays() -> None:
    """A11: deliveries that failed together do not come back together; each replays the same."""
    waits = []
    for name in map(str, range(200)):
        tried = a_delivery(delivery_id=name, state=State.CLAIMED, attempts=6, epoch=6)
        first, second = (
            settle(tried, Event.SILENCE, now=0.0, attempts_max=8).next_at for _ in "ab"
        )
        assert first == second
        waits.append(first)
    assert min(waits) < 0.1 * 64
    assert max(waits) > 0.9 * 64
    assert sum(waits) / len(waits) == pytest.approx(32, abs=5)


@pytest.mark.parametrize("state", [State.DELIVERED, State.PARKED])
@pytest.mark.parametrize("event", [event for event in Event if event is not Event.REOPEN])
def test_nothing_leads_out_of_a_final_state(state: State, event: Event) -> None:
    """A11: a delivered or parked delivery takes no event, but to be reopened when parked."""
    assert (state, event) not in TRANSITIONS
    with pytest.raises(KeyError):
        settle(a_delivery(state=state), event, now=0.0, attempts_max=8)


def test_a_parked_delivery_is_reopened_with_new_tries() -> None:
    """A11: when the network changes, a parked delivery starts anew; a delivered one does not."""
    parked = a_delivery(state=State.PARKED, attempts=8)
    reopened = settle(parked, Event.REOPEN, now=5.0, attempts_max=8)
    assert (reopened.state, reopened.attempts, reopened.next_at) == (State.QUEUED, 0, 5.0)
    with pytest.raises(KeyError):
        settle(a_delivery(state=State.DELIVERED), Event.REOPEN, now=5.0, attempts_max=8)
