"""One user or one platform cannot send a case out, and events that come late change no decision."""

from pathlib import Path
from typing import Any

import pytest
from builders import a_phenopacket

from cluster.access.counting import FUTURE_MAX_S
from cluster.clock import DAY_S
from cluster.errors import NotFound
from cluster.flow import accesses, decisions
from cluster.flow.platform import Platform
from cluster.settings import Settings
from tests.unit.flow.world import (
    NOW,
    an_event,
    audit_actions,
    decide,
    event_table,
    open_at,
    read,
    take_in,
)

DEFAULTS = {name: Settings.model_fields[name].default for name in ("user_events_max",)} | {
    "platform_share_max": Settings.model_fields["platform_share_max"].default
}
NEXT = NOW + 7 * DAY_S


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """Return a platform with the cases a and b, and the caps that are in use by default."""
    opened = open_at(tmp_path, **DEFAULTS)
    take_in(opened, a_phenopacket("a"), a_phenopacket("b"))
    return opened


def record(home: Platform, n: int, prefix: str = "e", **more: Any) -> None:
    """Store views of case a within the hour before NOW, each of a user of its own."""
    rows = [
        an_event(f"{prefix}{k}", "a", NOW - 60 - k, **({"user": f"{prefix}{k}"} | more))
        for k in range(n)
    ]
    accesses.record_events(home, event_table(rows))


def test_a_burst_of_one_user_counts_a_few_times(platform: Platform) -> None:
    """A5: a robot's thousand clicks are kept and count as three, in counts, windows and visits."""
    record(platform, 1000, user="robot")
    record(platform, 2, prefix="people")
    period = accesses.current_period(platform, NOW)
    assert period.events == 1002
    assert period.visits_per_day == pytest.approx(5 / 28)
    counts = accesses.count_period(platform, NOW)
    assert (counts.clicks, counts.usages) == ({"a": 5, "b": 0}, {"a": 0, "b": 0})
    newest = accesses.access_windows(platform, NOW, 60).to_pylist()[0]
    assert (newest["item_id"], sum(newest["clicks"])) == ("a", 5)


def test_a_burst_of_one_user_makes_no_path(platform: Platform) -> None:
    """A8: a user who forwards a case without end makes a tree of three."""
    record(platform, 1000, user="robot", kind="forward")
    (burst,) = accesses.propagation(platform, NOW)
    other = open_at(platform.settings.data_dir / "other", **DEFAULTS)
    take_in(other, a_phenopacket("a"))
    rows = [an_event(f"e{k}", "a", NOW - 60 - k, "forward") for k in (999, 998, 997)]
    accesses.record_events(other, event_table(rows))
    assert accesses.propagation(other, NOW) == [burst]


def test_accesses_of_one_platform_only_send_nothing_out(platform: Platform) -> None:
    """A10: the index lies in the range, and the case is held with the platform's name."""
    record(platform, 40)
    made = decide(platform, {"a": 0.9, "b": 0.9})
    assert {case: one.outcome for case, one in made.items()} == {"a": "hold", "b": "hold"}
    assert "40 of 40 accesses come from north" in made["a"].reason
    assert "no access was counted" in made["b"].reason
    assert (made["a"].by_platform, made["a"].user_events_max) == ({"north": 40}, 3)


def test_accesses_of_two_platforms_do(platform: Platform) -> None:
    """A10: accesses from elsewhere confirm those of the home; they add up to the counts."""
    record(platform, 40)
    record(platform, 5, prefix="far", platform="south")
    made = decide(platform, {"a": 0.9})["a"]
    assert (made.outcome, made.decided_by) == ("upload", "first")
    assert made.by_platform == {"north": 40, "south": 5}
    assert made.clicks + made.usages == 45


def test_a_flood_from_one_platform_makes_its_own_case_suspect(platform: Platform) -> None:
    """A10: ten thousand invented users of one platform do not carry a case out beside a few."""
    record(platform, 5)
    record(platform, 10_000, prefix="forged", platform="south")
    assert decide(platform, {"a": 0.9})["a"].outcome == "hold"


def test_an_operator_may_let_a_case_of_one_platform_out(platform: Platform) -> None:
    """A10: from the next period on, for this revision, audited once; the index still decides."""
    record(platform, 40)
    held = decide(platform, {"a": 0.9})
    assert decisions.approve(platform, "a")
    assert not decisions.approve(platform, "a")
    assert audit_actions(platform).count("approval") == 1
    assert decide(platform, {"a": 0.9}) == held
    assert decide(platform, {"a": 0.1}, as_of=NEXT)["a"].outcome == "hold"
    made = decide(platform, {"a": 0.9}, as_of=NEXT + 1)["a"]
    assert (made.outcome, made.decided_by, made.approved) == ("upload", "first", True)
    assert made.reason.endswith("approved by an operator")


def test_an_approval_is_for_one_revision(platform: Platform) -> None:
    """A10: what is revised is looked at anew."""
    record(platform, 40)
    decisions.approve(platform, "a")
    take_in(platform, a_phenopacket("a", observed=("HP:0002069",)), name="later")
    made = decide(platform, {"a": 0.9})["a"]
    assert (made.rev, made.outcome, made.approved) == (2, "hold", False)
    with pytest.raises(NotFound):
        decisions.approve(platform, "nobody")


def test_late_events_count_in_their_period_and_change_no_decision(platform: Platform) -> None:
    """A5 A10: what comes after a decision counts in the next look at that period only."""
    record(platform, 40)
    record(platform, 5, prefix="far", platform="south")
    made = decide(platform, {"a": 0.9})
    stored = read(platform, "SELECT * FROM decisions")
    record(platform, 30, prefix="late", platform="south")
    assert accesses.count_period(platform, NOW).clicks["a"] == 75
    assert decide(platform, {"a": 0.0}) == made
    assert read(platform, "SELECT * FROM decisions") == stored


def test_counts_do_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    """A5: late, repeated and reordered batches come to the same counts under the caps."""
    rows = [
        an_event(f"e{k}", "a", NOW - 60 - 997 * k, user=f"u{k % 4}", kind=("view", "cite")[k % 2])
        for k in range(60)
    ]
    found = []
    for name, batches in {
        "once": [rows],
        "reversed": [[row] for row in reversed(rows)],
        "repeated": [rows[20:], rows[:40], rows[30:50]],
    }.items():
        opened = open_at(tmp_path / name, **DEFAULTS)
        take_in(opened, a_phenopacket("a"))
        for part in batches:
            accesses.record_events(opened, event_table(part))
        found.append(accesses.count_period(opened, NOW))
    assert found[0].clicks["a"] == found[0].usages["a"] == 6
    assert found[0] == found[1] == found[2]


def test_an_event_of_the_future_is_refused_by_its_place(platform: Platform) -> None:
    """A5: clocks may differ by ten minutes; what lies further ahead is not stored at all."""
    rows = [an_event("near", "a", NOW + FUTURE_MAX_S), an_event("far", "a", NOW + FUTURE_MAX_S + 1)]
    done = accesses.record_events(platform, event_table(rows))
    assert [(one.row, one.code) for one in done.refused] == [(1, "time_in_future")]
    assert "600 s in the future" in done.refused[0].message
    assert read(platform, "SELECT event_id FROM events") == [("near",)]
