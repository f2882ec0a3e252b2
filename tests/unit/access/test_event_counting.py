"""Which events are refused, and in which bin a countable one lies."""

import pyarrow as pa
import pytest

from cluster.access.counting import FUTURE_MAX_S, bin_counts, checked_events
from cluster.contracts.access import EVENTS
from cluster.errors import EventInvalid, InputError

NOW = 1_000.0


def batch(**columns: list) -> pa.Table:
    n = len(next(iter(columns.values())))
    full = {
        "event_id": [f"e{i}" for i in range(n)],
        "case_id": ["case"] * n,
        "kind": ["view"] * n,
        "at": [10.0] * n,
        "platform": ["north"] * n,
        "user": ["u1"] * n,
        "parent_id": [None] * n,
    }
    return pa.table(full | columns)


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("event_id", None, "event_id_missing"),
        ("event_id", "  ", "event_id_missing"),
        ("case_id", "", "case_id_missing"),
        ("platform", None, "platform_missing"),
        ("user", "", "user_missing"),
        ("kind", "stare", "kind_unknown"),
        ("kind", None, "kind_unknown"),
        ("at", None, "time_not_finite"),
        ("at", float("inf"), "time_not_finite"),
        ("at", float("nan"), "time_not_finite"),
        ("at", NOW + FUTURE_MAX_S + 1, "time_in_future"),
    ],
)
def test_a_bad_row_is_refused_alone(column: str, value: object, code: str) -> None:
    """A5: a row that cannot be counted is named by number and code, and the others are kept."""
    good = batch(at=[1.0, 2.0, 3.0])
    values = good[column].to_pylist()
    values[1] = value
    kept, refusals = checked_events(batch(**{"at": [1.0, 2.0, 3.0], column: values}), now=NOW)
    assert [(r.row, r.code) for r in refusals] == [(1, code)]
    assert kept["event_id"].to_pylist() == ["e0", "e2"]
    assert kept.schema == EVENTS


def test_a_refusal_never_repeats_what_was_sent() -> None:
    """A5: messages carry codes and row numbers, not ids, users or kinds."""
    table = batch(kind=["secret-kind"], case_id=["secret-case"], user=["secret-user"])
    _, refusals = checked_events(table, now=NOW)
    assert "secret" not in repr(refusals)


def test_clocks_may_differ_a_little() -> None:
    """A5: an event up to ten minutes ahead of the receiver's clock is counted."""
    kept, refusals = checked_events(batch(at=[NOW + FUTURE_MAX_S]), now=NOW)
    assert (kept.num_rows, refusals) == (1, [])


def test_a_repeated_event_stays_once_and_is_no_error() -> None:
    """A5: the first row of an event id stays, the others are dropped without a refusal."""
    table = batch(event_id=["a", "b", "a", "c", "b"], user=["1", "2", "3", "4", "5"])
    kept, refusals = checked_events(table, now=NOW)
    assert kept["event_id"].to_pylist() == ["a", "b", "c"]
    assert kept["user"].to_pylist() == ["1", "2", "4"]
    assert refusals == []


def test_a_refused_row_does_not_take_the_place_of_its_repetition() -> None:
    """A5: an event that is sent broken first and whole later is counted."""
    table = batch(event_id=["a", "a"], at=[None, 5.0])
    kept, refusals = checked_events(table, now=NOW)
    assert kept["at"].to_pylist() == [5.0]
    assert [r.row for r in refusals] == [0]


def test_columns_may_come_in_any_order_and_type_of_text() -> None:
    """A5: large text, dictionaries, whole seconds and further columns are read."""
    plain = batch(at=[1, 2])
    sent = pa.table(
        {
            "at": pa.array([1, 2], pa.int32()),
            "later_column": [0, 0],
            "event_id": plain["event_id"].cast(pa.large_string()),
            "kind": plain["kind"].dictionary_encode(),
            **{name: plain[name] for name in ("user", "platform", "case_id", "parent_id")},
        }
    )
    kept, refusals = checked_events(sent, now=NOW)
    assert kept.equals(checked_events(plain, now=NOW)[0])
    assert refusals == []


@pytest.mark.parametrize(
    "table",
    [
        batch(at=[1.0]).drop_columns(["user"]),
        batch(at=["yesterday"]),
        batch(event_id=[7]),
        batch(parent_id=[3.5]),
        batch(at=[1.0]).append_column("user", pa.array(["u2"])),
    ],
    ids=["missing column", "text as time", "number as id", "number as parent", "column twice"],
)
def test_another_shape_is_refused_whole(table: pa.Table) -> None:
    """A5: a batch without a column, or with another type, is refused as a whole."""
    with pytest.raises(EventInvalid):
        checked_events(table, now=NOW)


def test_an_empty_batch_is_fine() -> None:
    """A5: nothing sent is nothing counted."""
    kept, refusals = checked_events(EVENTS.empty_table(), now=NOW)
    assert (kept.num_rows, kept.schema, refusals) == (0, EVENTS, [])


def test_a_bin_holds_its_first_instant_and_not_its_last() -> None:
    """A5: each event lies in exactly one bin, and outside the period in none."""
    times = [99.9, 100.0, 109.9, 110.0, 129.9, 130.0]
    clicks, usages = bin_counts(batch(at=times), cases=["case"], start=100.0, bin_s=10.0, n_bins=3)
    assert clicks.tolist() == [[2, 1, 1]]
    assert usages.tolist() == [[0, 0, 0]]


def test_clicks_and_usages_are_kept_apart_by_case() -> None:
    """A5: views and opens are clicks, the others usages; rows follow the cases asked for."""
    table = batch(
        kind=["view", "open", "forward", "share", "download", "cite", "view"],
        case_id=["b", "b", "b", "b", "a", "a", "unasked"],
    )
    clicks, usages = bin_counts(table, cases=["a", "b", "none"], start=0.0, bin_s=60.0, n_bins=1)
    assert clicks.tolist() == [[0], [2], [0]]
    assert usages.tolist() == [[2], [2], [0]]


@pytest.mark.parametrize(
    "asked",
    [
        {"cases": ["a", "a"], "bin_s": 1.0, "n_bins": 1},
        {"cases": ["a"], "bin_s": 0.0, "n_bins": 1},
        {"cases": ["a"], "bin_s": float("nan"), "n_bins": 1},
        {"cases": ["a"], "bin_s": 1.0, "n_bins": 0},
    ],
)
def test_counts_that_mean_nothing_are_refused(asked: dict) -> None:
    """A5: a case named twice or bins without length are an input error."""
    with pytest.raises(InputError):
        bin_counts(batch(at=[0.5]), start=0.0, **asked)
