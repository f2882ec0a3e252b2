"""A platform that adds events as they come has the indexes of one that counts all of them anew."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from builders import a_phenopacket
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.access.caps import within_user_cap
from cluster.access.propagation import PropagationIndex, propagation_indexes, transmission_trees
from cluster.clock import DAY_S
from cluster.contracts.access import KINDS
from cluster.flow import accesses, consents
from cluster.flow.platform import Platform
from cluster.storage.events import get_events, put_events
from tests.unit.flow.world import NOW, an_event, event_table, open_at, reopened, take_in

CASES = ("a", "b")
DAYS = 60
MOST = 2
Row = dict[str, Any]


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Draw events of few users, which name each other in any order, at round days and between."""
    n = draw(st.integers(4, 40))
    ids = st.integers(0, n + 2).map("e{:02}".format)
    days = st.one_of(st.integers(-1, 8).map(lambda weeks: 7.0 * weeks), st.floats(0, DAYS))
    return [
        an_event(
            f"e{number:02}",
            draw(st.sampled_from([*"aaaab", "gone"])),
            NOW - draw(days) * DAY_S,
            draw(st.sampled_from([*KINDS, "view", "share", "share"])),
            platform=draw(st.sampled_from(["north", "south"])),
            user=draw(st.sampled_from("uv")),
            parent_id=draw(st.one_of(st.none(), ids, ids, ids)),
        )
        for number in range(n)
    ]


def recounted(platform: Platform, before: float, at: float) -> list[PropagationIndex]:
    """Return the indexes of every case from nothing but the ledger."""
    period = accesses.current_period(platform, before)
    with platform.ledger.begin() as tx:
        events = get_events(tx, before=before)
    counted = within_user_cap(
        events, start=before, period_s=period.period_days * DAY_S, user_events_max=MOST
    )
    return propagation_indexes(transmission_trees(events.filter(pa.array(counted))), at=at)


def assert_equals_a_recount(platform: Platform, at: float) -> None:
    found = {one.case_id: (one.index, one.parts) for one in accesses.propagation(platform, at)}
    assert found == {one.case_id: (one.index, one.parts) for one in recounted(platform, at, at)}
    again = Platform(
        **{name: vars(platform)[name] for name in Platform.__dataclass_fields__}
    )  # the same ledger, nothing in memory
    assert accesses.current_period(platform, at) == accesses.current_period(again, at)
    windows = accesses.access_windows(platform, at, DAYS)
    assert windows.equals(accesses.access_windows(again, at, DAYS))
    for row in windows.to_pylist():
        indexes = {one.case_id: one.index for one in recounted(platform, at, row["cut"])}
        assert row["propagation"] == indexes.get(row["item_id"])


def store_behind(platform: Platform, rows: list[Row]) -> None:
    """Store events and stop before anything else is done, as an interrupted call does."""
    with platform.ledger.begin() as tx:
        put_events(tx, event_table(rows))


def opened(folder: str) -> Platform:
    platform = open_at(Path(folder), user_events_max=MOST, visits_per_day_ref=0.4, at=NOW + DAY_S)
    take_in(platform, *(a_phenopacket(case_id) for case_id in CASES))
    return platform


@settings(max_examples=30)
@given(st.data(), histories())
def test_a_platform_that_goes_on_equals_a_recount_after_every_batch(
    data: st.DataObject, rows: list[Row]
) -> None:
    """A8: late, repeated, changed and reordered events, restarts, interruptions, withdrawals."""
    with tempfile.TemporaryDirectory() as folder:
        platform = opened(folder)
        rest = data.draw(st.permutations(rows))
        while rest:
            n = data.draw(st.integers(1, 12))
            batch, rest = rest[:n], rest[n:]
            known = data.draw(st.lists(st.sampled_from(rows), max_size=3))
            changed = [row | {"at": NOW - 3 * DAY_S, "kind": "download"} for row in known]
            step = data.draw(st.sampled_from(["go on", "go on", "restart", "stop", "withdraw"]))
            if step == "stop":
                store_behind(platform, batch)
                batch = []
            accesses.record_events(platform, event_table([*batch, *changed, *known]))
            if step == "restart":
                platform = reopened(platform)
            elif step == "withdraw":
                consents.set_consent(platform, "b", state="withdrawn", consent="share")
            at = data.draw(st.sampled_from([NOW + 5, NOW, NOW - 7 * DAY_S, NOW - 20 * DAY_S]))
            assert_equals_a_recount(platform, at)
        platform.ledger.close()


def test_a_batch_is_added_and_the_ledger_not_read_again() -> None:
    """A8: what is in memory is the same object, longer by the batch; a restart reads it anew."""
    with tempfile.TemporaryDirectory() as folder:
        platform = opened(folder)
        accesses.record_events(platform, event_table([an_event("e1", "a", NOW - 60, "share")]))
        assert len(platform.history) == 0
        accesses.propagation(platform, NOW)
        before = accesses.access_history(platform)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(accesses.event_rows, "get_events", None)
            late = [an_event("e0", "a", NOW - 90, "share"), an_event("e1", "a", NOW - 60)]
            accesses.record_events(platform, event_table(late))
            (found,) = accesses.propagation(platform, NOW)
            assert accesses.access_history(platform) is before
        again = reopened(platform)
        assert len(again.history) == 0
        assert accesses.propagation(again, NOW) == [found]
        again.ledger.close()


def test_what_was_stored_stays_where_an_interrupted_batch_comes_again_changed() -> None:
    """A5 A8: the first word about an event stands, also where memory has missed it."""
    with tempfile.TemporaryDirectory() as folder:
        platform = opened(folder)
        accesses.record_events(platform, event_table([an_event("e1", "a", NOW - 60, "share")]))
        accesses.propagation(platform, NOW)
        stored = an_event("e2", "a", NOW - 50, "share", user="u2")
        store_behind(platform, [stored])
        changed = stored | {"case_id": "b", "kind": "view"}
        accesses.record_events(platform, event_table([changed]))
        assert [one.case_id for one in accesses.propagation(platform, NOW)] == ["a"]
        assert_equals_a_recount(platform, NOW)
        platform.ledger.close()


def test_events_that_were_added_in_part_are_read_anew() -> None:
    """A8: a call that is interrupted while it adds events leaves nothing half known."""
    with tempfile.TemporaryDirectory() as folder:
        platform = opened(folder)
        accesses.record_events(platform, event_table([an_event("e1", "a", NOW - 60, "share")]))
        accesses.propagation(platform, NOW)
        batch = event_table([an_event("e2", "b", NOW - 50, "share")])
        store_behind(platform, batch.to_pylist())
        with pytest.raises(KeyError):
            platform.history.take(batch.drop_columns(["parent_id"]))
        assert [one.case_id for one in accesses.propagation(platform, NOW)] == ["a", "b"]
        assert_equals_a_recount(platform, NOW)
        platform.ledger.close()
