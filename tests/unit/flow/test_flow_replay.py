"""Stored decisions follow from what they have stored, and one that was changed is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from builders import a_phenopacket

from cluster.contracts.sharing import ReplayedDecision
from cluster.flow import accesses
from cluster.flow.platform import Platform
from cluster.flow.replay import replay_decisions, with_unlike_predictions
from tests.unit.flow.world import NOW, an_event, decide, event_table, open_at, take_in


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """Three decisions: by the first index, by the second, and one that holds."""
    opened = open_at(tmp_path, user_events_max=3, platform_share_max=0.95)
    take_in(opened, *map(a_phenopacket, "abc"))
    rows = [
        an_event(
            f"{case}{k}", case, NOW - 60 - k, user=f"u{k // 5}", platform=("north", "far")[k % 2]
        )
        for case in "abc"
        for k in range(40)
    ]
    accesses.record_events(opened, event_table(rows))
    made = decide(opened, {"a": 0.9, "b": 0.1, "c": 0.1}, {"b": 0.5, "c": 0.2})
    assert [made[case].decided_by for case in "abc"] == ["first", "second", "none"]
    return opened


def unlike(platform: Platform) -> dict[str, tuple[str, ...]]:
    return {one.case_id: one.differs for one in replay_decisions(platform) if one.differs}


def tamper(home: Platform, chosen: str, changes: dict[str, Any]) -> None:
    """Change fields of a stored record behind the program's back."""
    with home.ledger.begin() as tx:
        found = tx.exec_driver_sql("SELECT record FROM decisions WHERE case_id = ?", (chosen,))
        record = json.dumps(json.loads(found.scalar_one()) | changes)
        tx.exec_driver_sql("UPDATE decisions SET record = ? WHERE case_id = ?", (record, chosen))


def test_what_was_decided_is_decided_again(platform: Platform) -> None:
    """A10: every stored decision is made again from its stored inputs, to the same answer."""
    replayed = replay_decisions(platform)
    assert [(one.case_id, one.differs, one.late) for one in replayed] == [
        (case, (), 0) for case in "abc"
    ]
    assert [len(one.predictions) for one in replayed] == [1, 2, 2]


def test_other_presets_of_today_change_nothing(platform: Platform) -> None:
    """A10: a decision is replayed with the presets it was made under, not with those of now."""
    platform.ledger.close()
    changed = {"share_index_min": 0.95, "user_events_max": 1, "platform_share_max": 0.1}
    again = open_at(platform.settings.data_dir, **changed)
    assert len(replay_decisions(again)) == 3
    assert unlike(again) == {}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"outcome": "upload"}, "outcome: stored 'upload', made again 'hold'"),
        ({"decided_by": "first"}, "decided by: stored 'first'"),
        ({"reason": "because"}, "reason: stored 'because'"),
        ({"index_min": 0.0}, "made again 'upload'"),
        ({"period_end": NOW + 1}, "the key does not match"),
        ({"rev": 7}, "the revision does not match"),
        ({"case_id": "a"}, "the case does not match"),
        ({"platform": "south"}, "the platform does not match"),
        ({"targets": ["south"]}, "a case that is held has targets"),
        ({"clicks": 10_000}, "fewer accesses are stored now"),
        ({"by_platform": {"far": 1}}, "do not add up"),
        ({"period_days": 0.0}, "the period cannot be counted"),
        ({"index_max": "none"}, "the record cannot be read"),
    ],
)
def test_a_changed_decision_is_named(
    platform: Platform, changes: dict[str, Any], told: str
) -> None:
    """A10: whichever field was changed afterwards, that decision is named and no other."""
    tamper(platform, "c", changes)
    found = unlike(platform)
    assert list(found) == ["c"]
    assert told in "; ".join(found["c"])


def test_a_changed_row_is_named(platform: Platform) -> None:
    """A10: what the columns say beside the record must agree with it."""
    with platform.ledger.begin() as tx:
        tx.exec_driver_sql("UPDATE decisions SET outcome = 'hold' WHERE case_id = 'a'")
    assert unlike(platform) == {"a": ("the outcome of the row does not match",)}


def test_late_events_are_told_and_lost_ones_are_named(platform: Platform) -> None:
    """A5 A10: counts of a past period may grow, and that is no difference; they never shrink."""
    accesses.record_events(platform, event_table([an_event("late", "a", NOW - 9, user="new")]))
    late = {one.case_id: (one.late, one.differs) for one in replay_decisions(platform)}
    assert late == {"a": (1, ()), "b": (0, ()), "c": (0, ())}
    with platform.ledger.begin() as tx:
        tx.exec_driver_sql("DELETE FROM events WHERE case_id = 'b'")
    assert unlike(platform) == {"b": ("fewer accesses are stored now than were counted then",)}


def test_decisions_of_earlier_releases_are_replayed(tmp_path: Path) -> None:
    """A10 B3: a record without caps and origins counted every event, and is no difference."""
    opened = open_at(tmp_path)
    take_in(opened, a_phenopacket("a"))
    rows = [an_event(f"e{k}", "a", NOW - 60 - k) for k in range(9)]
    accesses.record_events(opened, event_table(rows))
    assert decide(opened, {"a": 0.9})["a"].clicks == 9
    with opened.ledger.begin() as tx:
        record = json.loads(tx.exec_driver_sql("SELECT record FROM decisions").scalar_one())
        for name in ("user_events_max", "by_platform", "platform_share_max", "approved"):
            del record[name]
        tx.exec_driver_sql("UPDATE decisions SET record = ?", (json.dumps(record),))
    assert [(one.differs, one.late) for one in replay_decisions(opened)] == [((), 0)]


def test_a_prediction_that_was_not_kept_is_named(platform: Platform) -> None:
    """A7 A10: an index that was changed together with its verdict is found at the models'."""
    replayed = replay_decisions(platform)
    checked = with_unlike_predictions(replayed, [("m2", "ff")])
    assert [one.differs for one in checked[:1]] == [()]
    told = "the prediction of model m2 is not the one that was kept"
    assert [one.differs for one in checked[1:]] == [(told,), (told,)]
    nothing: list[ReplayedDecision] = with_unlike_predictions([], [])
    assert nothing == []
