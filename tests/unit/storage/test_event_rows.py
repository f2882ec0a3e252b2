"""Access events in the ledger: counted once, found by time."""

import pyarrow as pa

from cluster.contracts.access import EVENTS
from cluster.storage.events import READ_ROWS, count_events, get_events, put_events
from cluster.storage.ledger import Ledger


def batch(*rows: tuple[str, float]) -> pa.Table:
    full = [
        {
            "event_id": name,
            "case_id": "case",
            "kind": "view",
            "at": at,
            "platform": "north",
            "user": "u",
            "parent_id": None if name == "e1" else "e1",
        }
        for name, at in rows
    ]
    return pa.Table.from_pylist(full, schema=EVENTS)


def test_a_repeated_event_counts_once(ledger: Ledger) -> None:
    """A5: the same id again, in another batch or in the same one, is not another event."""
    with ledger.begin() as tx:
        assert put_events(tx, batch(("e1", 1.0), ("e2", 2.0))) == 2
        assert put_events(tx, batch(("e2", 2.0), ("e3", 3.0), ("e3", 3.0))) == 1
        assert put_events(tx, batch()) == 0
        assert count_events(tx) == 3


def test_the_first_word_about_an_event_stands(ledger: Ledger) -> None:
    """A5: a second event under a used id cannot move the first one in time."""
    with ledger.begin() as tx:
        put_events(tx, batch(("e1", 1.0)))
        assert put_events(tx, batch(("e1", 99.0))) == 0
        assert get_events(tx, before=1e9)["at"].to_pylist() == [1.0]


def test_events_come_back_by_time_and_id(ledger: Ledger) -> None:
    """A5: every column comes back, sorted by time then id, those before an instant only."""
    given = batch(("c", 2.0), ("b", 2.0), ("a", 3.0), ("e1", 1.0), ("late", 4.0))
    with ledger.begin() as tx:
        put_events(tx, given)
        found = get_events(tx, before=4.0)
        nothing = get_events(tx, before=0.0)
    assert found.equals(batch(("e1", 1.0), ("b", 2.0), ("c", 2.0), ("a", 3.0)))
    assert nothing.schema == EVENTS
    assert nothing.num_rows == 0


def test_only_what_is_asked_for_is_read(ledger: Ledger) -> None:
    """A5: a span holds its first instant and not its last; columns come in the order asked for."""
    with ledger.begin() as tx:
        put_events(tx, batch(*((f"e{n}", float(n)) for n in range(5))))
        found = get_events(tx, after=1.0, before=4.0, columns=("at", "event_id"))
        assert found.to_pydict() == {"at": [1.0, 2.0, 3.0], "event_id": ["e1", "e2", "e3"]}
        assert get_events(tx, after=4.5, before=9.0, columns=("at",)).to_pydict() == {"at": []}


def test_a_long_history_comes_back_whole(ledger: Ledger) -> None:
    """A5: rows are read in parts, and none is lost or doubled where two parts meet."""
    given = batch(*((f"e{n:05}", float(n)) for n in range(2 * READ_ROWS + 1)))
    with ledger.begin() as tx:
        assert put_events(tx, given.take(list(reversed(range(given.num_rows))))) == given.num_rows
        assert get_events(tx, before=1e9).equals(given)
