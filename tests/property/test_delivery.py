"""The delivery machine against any sequence of couriers, answers, crashes and waiting."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cluster.sharing.delivery import (
    BACKOFF_S_MAX,
    Delivery,
    Event,
    State,
    claim,
    is_due,
    settle,
)

ATTEMPTS_MAX = 4
LEASE_S = 60.0
FINAL = (State.DELIVERED, State.PARKED)
ANSWERS = (Event.RECEIPT, Event.REFUSAL, Event.SILENCE, Event.DENY)


class Couriers(RuleBasedStateMachine):
    """One delivery, several couriers that each remember the epoch of their claim."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.one = Delivery("d1", State.QUEUED, 0, self.now, "", 0, 0.0)
        self.history = [self.one]
        self.held: dict[str, int] = {}
        self.claims = 0
        self.receipts = 0

    def _becomes(self, after: Delivery) -> None:
        self.history.append(after)
        self.one = after

    @rule(seconds=st.floats(0, 2000))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: is_due(self.one, self.now))
    @rule(owner=st.sampled_from(["c1", "c2"]))
    def claim_due(self, owner: str) -> None:
        self._becomes(claim(self.one, owner, now=self.now, lease_s=LEASE_S))
        self.held[owner] = self.one.epoch
        self.claims += 1

    @precondition(lambda self: self.held)
    @rule(owner=st.sampled_from(["c1", "c2"]), event=st.sampled_from(ANSWERS), reason=st.text("ab"))
    def answer(self, owner: str, event: Event, reason: str) -> None:
        """Settle as the ledger does: only the newest claim counts."""
        epoch = self.held.pop(owner, None)
        if epoch is None:
            return
        current = epoch == self.one.epoch and self.one.state is State.CLAIMED
        if not current:
            return
        settled = settle(self.one, event, now=self.now, attempts_max=ATTEMPTS_MAX, reason=reason)
        self.receipts += event is Event.RECEIPT
        self._becomes(settled)

    @precondition(lambda self: self.one.state is State.CLAIMED)
    @rule()
    def restart(self) -> None:
        """A new courier takes back what the dead one left; its late answer must not count."""
        self._becomes(settle(self.one, Event.RELEASE, now=self.now, attempts_max=ATTEMPTS_MAX))
        assert self.one.epoch not in self.held.values()

    @precondition(lambda self: self.one.state is State.QUEUED)
    @rule()
    def deny(self) -> None:
        settled = settle(
            self.one, Event.DENY, now=self.now, attempts_max=ATTEMPTS_MAX, reason="gate"
        )
        self._becomes(settled)

    @invariant()
    def epoch_grows_with_claims(self) -> None:
        """A11: the epoch never falls, and every claim raises it."""
        epochs = [one.epoch for one in self.history]
        assert epochs == sorted(epochs)
        assert self.one.epoch >= self.claims == self.one.attempts
        claimed = [one.epoch for one in self.history if one.state is State.CLAIMED]
        assert len(claimed) == len(set(claimed))

    @invariant()
    def final_is_final(self) -> None:
        """A11: nothing follows delivered or parked; delivered needs exactly one receipt."""
        assert all(one.state not in FINAL for one in self.history[:-1])
        assert self.receipts == (self.one.state is State.DELIVERED)

    @invariant()
    def never_lost(self) -> None:
        """A11: what is not final becomes due again by waiting, however it got here."""
        if self.one.state not in FINAL:
            assert is_due(self.one, self.now + max(BACKOFF_S_MAX, LEASE_S))

    @invariant()
    def patience_ends(self) -> None:
        """A11: no delivery waits in the queue after silence with all its attempts used up."""
        if self.one.reason == "attempts_used_up":
            assert self.one.state is State.PARKED
            assert self.one.attempts >= ATTEMPTS_MAX


TestCouriers = Couriers.TestCase
TestCouriers.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
