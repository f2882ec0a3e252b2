"""Windows are divided by what is known of them (S540, S600, S700)."""

import numpy as np
import pyarrow as pa

from cluster.contracts.trend import N_FUT, N_OBS, WINDOWS
from cluster.flow.windows import divide, to_bytes


def windows(*places: tuple[str, float, float | None]) -> pa.Table:
    """Return windows of (platform, cut, what came after)."""
    rows = [
        {
            "sample_id": f"{platform}/{number}",
            "item_id": str(number),
            "platform": platform,
            "cut": cut,
            "bin_days": 1.0,
            "n_obs": N_OBS,
            "n_fut": N_FUT,
            "age_days": 1.0,
            "clicks": [1.0] * N_OBS,
            "usages": [0.0] * N_OBS,
            "propagation": None,
            "fut_total": after,
        }
        for number, (platform, cut, after) in enumerate(places)
    ]
    return pa.Table.from_pylist(rows, schema=WINDOWS)


TWO_PLATFORMS = windows(
    ("north", 30.0, None),
    ("south", 40.0, None),
    ("north", 20.0, 1.0),
    ("south", 25.0, 0.0),
    ("north", 20.0, 3.0),
    ("north", 10.0, 2.0),
    ("south", 10.0, 2.0),
)


def test_each_platform_is_divided_by_its_own_cuts() -> None:
    """A6 A9: unknown futures are predicted, the newest known ones are new, the rest is old."""
    sets = divide(TWO_PLATFORMS)
    assert sets.current["item_id"].to_pylist() == ["0", "1"]
    assert sets.new["item_id"].to_pylist() == ["2", "3", "4"]
    assert sets.old["item_id"].to_pylist() == ["5", "6"]


def test_every_window_lies_in_one_set() -> None:
    """A9: nothing is lost, nothing is in two sets; a label never depends on the other sets."""
    rng = np.random.default_rng(0)
    places = [
        (
            str(rng.choice(["n", "s", "w"])),
            float(rng.integers(5)),
            None if rng.random() < 0.3 else 1.0,
        )
        for _ in range(60)
    ]
    table = windows(*places)
    sets = divide(table)
    ids = [i for part in (sets.current, sets.new, sets.old) for i in part["item_id"].to_pylist()]
    assert sorted(map(str, ids)) == sorted(map(str, range(60)))
    for platform in ("n", "s", "w"):
        known = [cut for name, cut, after in places if name == platform and after is not None]
        new = [r["cut"] for r in sets.new.to_pylist() if r["platform"] == platform]
        assert set(new) == {max(known)}


def test_without_known_futures_there_is_only_the_current_set() -> None:
    """A6: a young platform has nothing to train on, and no error either."""
    sets = divide(windows(("north", 30.0, None)))
    assert (sets.current.num_rows, sets.new.num_rows, sets.old.num_rows) == (1, 0, 0)
    empty = divide(WINDOWS.empty_table())
    assert empty.current.num_rows == 0


def test_the_same_rows_give_the_same_bytes() -> None:
    """A6 B3: a data set is named by its digest, so chunks and history must not show in it."""
    chunks = pa.concat_tables([TWO_PLATFORMS.slice(0, 3), TWO_PLATFORMS.slice(3)])
    assert to_bytes(chunks) == to_bytes(TWO_PLATFORMS)
    assert pa.ipc.open_file(to_bytes(chunks)).read_all() == TWO_PLATFORMS
    assert to_bytes(TWO_PLATFORMS.slice(1)) != to_bytes(TWO_PLATFORMS)
