"""Keyed commands, the audit chain, and how far projections got."""

import pytest
from sqlalchemy.exc import IntegrityError

from cluster.storage.journal import (
    answer,
    append_audit,
    applied_seq,
    first_broken_audit_row,
    last_answer,
    set_applied,
)
from cluster.storage.ledger import Ledger


def test_the_newest_answer_to_a_caller_counts(ledger: Ledger) -> None:
    """A11: the last command's answer is kept with what was asked; callers do not meet."""
    with ledger.begin() as tx:
        assert last_answer(tx, "c") is None
        answer(tx, "c", "z", "body", "first")
        answer(tx, "c", "a", "another body", "second")
    with ledger.begin() as tx:
        last = last_answer(tx, "c")
        assert last is not None
        assert (last.key, last.body_digest, last.response) == ("a", "another body", "second")
        assert last_answer(tx, "other") is None


def test_a_key_is_used_once(ledger: Ledger) -> None:
    """A11: a key is never silently used for something else."""
    with ledger.begin() as tx:
        answer(tx, "c", "k", "body", "first")
        with pytest.raises(IntegrityError):
            answer(tx, "c", "k", "another body", "second")


def test_an_answer_lives_and_dies_with_its_transaction(ledger: Ledger) -> None:
    """A11: a command that was undone is not answered from memory."""

    def fail() -> None:
        with ledger.begin() as tx:
            answer(tx, "c", "k", "body", "first")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with ledger.begin() as tx:
        assert last_answer(tx, "c") is None


def test_an_untouched_chain_is_whole(ledger: Ledger) -> None:
    """B9: no row, one row and many rows in many transactions are a chain."""
    for n in range(5):
        with ledger.begin() as tx:
            assert first_broken_audit_row(tx) is None
            append_audit(tx, float(n), "disclosure attempted", {"delivery": f"d{n}"})
    with ledger.begin() as tx:
        assert first_broken_audit_row(tx) is None


def test_facts_cannot_stand_in_for_the_time_or_the_action(ledger: Ledger) -> None:
    """B9: a row says its own time and action whatever its facts are called."""
    with ledger.begin() as tx:
        append_audit(tx, 5.0, "import", {"at": 99.0, "action": "nothing", "delivery": "d"})
        (row,) = tx.exec_driver_sql("SELECT row FROM audit").scalars()
    assert '"at":5.0' in row
    assert '"action":"import"' in row


def test_a_projection_remembers_how_far_it_got(ledger: Ledger) -> None:
    """A4: each projection has its own place, 0 before the first."""
    with ledger.begin() as tx:
        assert applied_seq(tx, "index") == 0
        set_applied(tx, "index", 7)
        set_applied(tx, "other", 3)
        set_applied(tx, "index", 9)
        assert (applied_seq(tx, "index"), applied_seq(tx, "other")) == (9, 3)
