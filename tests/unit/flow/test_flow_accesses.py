"""Accesses are counted once, cut into windows, and turned into heat (S350-S530, S600)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from builders import MemoryIndex, a_phenopacket

from cluster.access.simulated_network import simulated_network
from cluster.clock import DAY_S
from cluster.contracts.access import CLICKS, USAGES
from cluster.contracts.trend import N_FUT, N_OBS, WINDOWS
from cluster.errors import EventInvalid
from cluster.flow import accesses
from cluster.flow.platform import Platform
from tests.unit.flow.world import NOW, an_event, event_table, open_at, read, reopened, take_in

Row = dict[str, object]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """Cases a and b of the nerves, c of the heart; all rare."""
    opened = open_at(tmp_path)
    take_in(
        opened,
        a_phenopacket("a"),
        a_phenopacket("b"),
        a_phenopacket("c", observed=("HP:0001627",)),
    )
    return opened


def a_history(days: float, seed: int = 3) -> list[Row]:
    """Draw events of a and b, some of them passed on; c is never touched."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(240):
        case_id = str(rng.choice(["a", "b"]))
        at = NOW - float(rng.uniform(0, days)) * DAY_S
        kind = str(rng.choice([*CLICKS, *USAGES]))
        given = [r for r in rows if r["case_id"] == case_id and r["at"] < at]  # type: ignore[operator]  # floats
        is_child = given and kind in CLICKS and rng.random() < 0.5
        parent = str(rng.choice([str(r["event_id"]) for r in given])) if is_child else None
        user = f"u{int(rng.integers(9))}"
        rows.append(an_event(f"e{number}", case_id, at, kind, parent_id=parent, user=user))
    return rows


def test_an_event_counts_once(platform: Platform) -> None:
    """A5: the same batch again, or an overlapping one, adds nothing that was there."""
    rows = [an_event(f"e{n}", "a", NOW - n) for n in range(5)]
    first = accesses.record_events(platform, event_table(rows[:4]))
    assert (first.new, first.repeated, first.refused) == (4, 0, [])
    again = accesses.record_events(platform, event_table(rows[:4]))
    assert (again.new, again.repeated) == (0, 4)
    overlapping = accesses.record_events(platform, event_table([*rows[2:], rows[4]]))
    assert (overlapping.new, overlapping.repeated) == (1, 3)
    assert accesses.current_period(platform, NOW + 1).events == 5


def test_a_bad_event_does_not_stop_the_others(platform: Platform) -> None:
    """A5: a row that cannot be counted is refused by its place, the rest is stored."""
    rows = [an_event("e1", "a", NOW), an_event("e2", "a", NOW + 9e9), an_event("e3", "a", NOW)]
    done = accesses.record_events(platform, event_table(rows))
    assert (done.new, done.repeated) == (2, 0)
    assert [(r.row, r.code) for r in done.refused] == [(1, "time_in_future")]


def test_events_of_other_platforms_cases_are_left_out(platform: Platform) -> None:
    """A5: a case's events lie at its home, so that no event is counted twice on the network."""
    table = event_table([an_event("e1", "a", NOW), an_event("e2", "elsewhere", NOW)])
    assert accesses.own_events(platform, table)["event_id"].to_pylist() == ["e1"]
    with pytest.raises(EventInvalid, match="case_id"):
        accesses.own_events(platform, table.drop_columns(["case_id"]))


@pytest.mark.parametrize(("n_visits", "days"), [(0, 28), (14, 28), (28, 14), (40, 9.8), (900, 7)])
def test_the_period_follows_the_visits(tmp_path: Path, n_visits: int, days: float) -> None:
    """A5: inversely proportional to the visits of the last 28 days, within its bounds."""
    platform = open_at(tmp_path, visits_per_day_ref=1.0)
    take_in(platform, a_phenopacket("a"))
    rows = [an_event(f"e{n}", "a", NOW - 60 - n) for n in range(n_visits)]
    rows += [an_event(f"old{n}", "a", NOW - 29 * DAY_S) for n in range(7)]
    accesses.record_events(platform, event_table(rows))
    period = accesses.current_period(platform, NOW)
    assert period.period_days == pytest.approx(days)
    assert period.visits_per_day == pytest.approx(n_visits / 28)
    assert (period.period_end, period.events) == (NOW, n_visits + 7)


def test_a_period_holds_its_first_instant_and_not_its_last(tmp_path: Path) -> None:
    """A5: counts are by event time in [end - T, end), clicks apart from usages."""
    platform = open_at(tmp_path, period_days_max=14)
    take_in(platform, a_phenopacket("a"))
    length = accesses.current_period(platform, NOW).period_days * DAY_S
    rows = [
        an_event("first", "a", NOW - length),
        an_event("before", "a", NOW - length - 1),
        an_event("last", "a", NOW - 1, "download"),
        an_event("after", "a", NOW),
        an_event("open", "a", NOW - 5, "open"),
    ]
    accesses.record_events(platform, event_table(rows))
    counts = accesses.count_period(platform, NOW)
    assert (counts.clicks, counts.usages) == ({"a": 2}, {"a": 1})


def test_the_rare_feature_is_renewed_from_the_period(platform: Platform) -> None:
    """A3: heat within the own field; stored in the ledger and in the index, and renewed."""
    rows = [an_event(f"e{n}", "a", NOW - 60, user=f"u{n}") for n in range(20)]
    accesses.record_events(platform, event_table(rows))
    accesses.count_period(platform, NOW)
    # a and b share a field with a mean of 10 accesses; 10 are given beforehand
    expected = {"a": 30 / 20, "b": 10 / 20, "c": 1.0}
    assert dict(read(platform, "SELECT case_id, rare_feature FROM cases")) == expected
    assert _indexed(platform) == expected
    accesses.count_period(platform, NOW + 40 * DAY_S)
    assert dict(read(platform, "SELECT case_id, rare_feature FROM cases")) == dict.fromkeys(
        "abc", 1.0
    )
    assert _indexed(platform) == dict.fromkeys("abc", 1.0)


class StoppingIndex(MemoryIndex):
    """An index that is interrupted when heat is written to it, once."""

    stop = True

    def set_rare_features(self, values: Mapping[str, float]) -> None:
        """Stop, then go on."""
        if self.stop:
            self.stop = False
            text = "the process ends here"
            raise InterruptedError(text)
        super().set_rare_features(values)


def test_counting_again_makes_an_interrupted_count_good(tmp_path: Path) -> None:
    """A3 A4: a stop between ledger and index is made good by repeating the call."""
    platform = open_at(tmp_path)
    stopping = Platform(**(vars(platform) | {"index": StoppingIndex()}))
    take_in(stopping, a_phenopacket("a"), a_phenopacket("b"))
    rows = [an_event(f"e{n}", "a", NOW - 60) for n in range(20)]
    accesses.record_events(stopping, event_table(rows))
    with pytest.raises(InterruptedError):
        accesses.count_period(stopping, NOW)
    again = reopened(stopping)
    accesses.count_period(again, NOW)
    assert _indexed(again) == {"a": 1.5, "b": 0.5}
    assert dict(read(again, "SELECT case_id, rare_feature FROM cases")) == {"a": 1.5, "b": 0.5}


def test_windows_equal_a_recount(tmp_path: Path) -> None:
    """A6: bins, ages and labels equal a recount event by event; the newest has no label yet."""
    platform = open_at(tmp_path, visits_per_day_ref=4.0)
    take_in(platform, a_phenopacket("a"), a_phenopacket("b"), a_phenopacket("c"))
    history = a_history(60)
    accesses.record_events(platform, event_table(history))
    days = accesses.current_period(platform, NOW).period_days
    assert 7 < days < 28
    windows = accesses.access_windows(platform, NOW, 60)
    assert windows.schema == WINDOWS
    rows = {(row["item_id"], row["cut"]): row for row in windows.to_pylist()}
    assert len(rows) == windows.num_rows
    expected = _recount(history, days)
    assert rows.keys() == expected.keys()
    for key, row in rows.items():
        clicks, usages, future, age = expected[key]
        assert (row["clicks"], row["usages"], row["fut_total"]) == (clicks, usages, future)
        assert row["age_days"] == pytest.approx(age)
        assert (row["n_obs"], row["n_fut"], row["platform"]) == (N_OBS, N_FUT, "north")
        assert row["bin_days"] == pytest.approx(days / N_OBS)
    assert len(set(windows["sample_id"].to_pylist())) == windows.num_rows


def test_a_window_knows_the_spread_up_to_its_cut_only(tmp_path: Path) -> None:
    """A8: the propagation index of a window is the one of its cut; the future does not leak in."""
    platform = open_at(tmp_path, period_days_max=14)
    take_in(platform, a_phenopacket("a"), a_phenopacket("b"), a_phenopacket("c"))
    accesses.record_events(platform, event_table(a_history(45)))
    windows = accesses.access_windows(platform, NOW, 45)
    cuts = set(windows["cut"].to_pylist())
    assert len(cuts) == 45 // accesses.current_period(platform, NOW).period_days
    for row in windows.to_pylist():
        then = {p.case_id: p.index for p in accesses.propagation(platform, row["cut"])}
        assert row["propagation"] == pytest.approx(then.get(row["item_id"]))
    spread = [row["propagation"] for row in windows.to_pylist() if row["item_id"] != "c"]
    assert any(spread)


def test_there_is_always_a_newest_window(platform: Platform) -> None:
    """A6: even of a history shorter than one period the newest window of each case is there."""
    windows = accesses.access_windows(platform, NOW, 5)
    assert windows["item_id"].to_pylist() == ["a", "b", "c"]
    assert windows["fut_total"].null_count == 3


def test_a_platform_without_rare_cases_has_no_windows(tmp_path: Path) -> None:
    """A6: nothing to follow gives an empty table of the right shape."""
    assert accesses.access_windows(open_at(tmp_path), NOW, 90).num_rows == 0
    assert accesses.access_windows(open_at(tmp_path / "other"), NOW, 90).schema == WINDOWS


def test_a_simulated_history_is_drawn_once(platform: Platform) -> None:
    """A5 A13: the same seed gives the same events, so that a repeated step counts nothing twice."""
    network = simulated_network(["north", "south"], 1)
    start = NOW - 30 * DAY_S
    draw = [
        accesses.record_simulated_events(platform, network, start=start, days=30, seed=5)
        for _ in range(2)
    ]
    assert draw[0].new > 0
    assert (draw[1].new, draw[1].repeated) == (0, draw[0].new)


def _indexed(platform: Platform) -> dict[str, float]:
    found = platform.index.rows(["a", "b", "c"])
    return dict(zip(*(found[c].to_pylist() for c in ("case_id", "rare_feature")), strict=True))


def _recount(history: list[Row], days: float) -> dict[tuple[str, float], tuple[object, ...]]:
    """Count by hand: (case, cut) to clicks and usages by bin, what came after, and the age."""
    length, bin_s = days * DAY_S, days * DAY_S / N_OBS
    expected: dict[tuple[str, float], tuple[object, ...]] = {}
    for case_id in "abc":
        times = [(float(str(r["at"])), r["kind"]) for r in history if r["case_id"] == case_id]
        born = min((at for at, _ in times), default=None)
        for number in range(int(60 // days)):
            cut = NOW - number * length
            if number and (born is None or born >= cut):
                continue
            bins = [[0.0] * N_OBS, [0.0] * N_OBS]
            after = 0.0
            for at, kind in times:
                if cut <= at < cut + length:
                    after += 1
                if cut - length <= at < cut:
                    place = int((at - (cut - length)) // bin_s)
                    bins[kind in USAGES][place] += 1
            age = 0.0 if born is None else max(0.0, (cut - born) / DAY_S)
            expected[case_id, cut] = (*bins, after if number else None, age)
    return expected
