"""A process that ends at the worst instant loses nothing it acknowledged and doubles nothing.

One child is started, and is forked once for each point before anything is opened: the copy runs the
flow and ends itself there without any clean-up. The test then opens what is left and runs the flow
again to its end.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from builders import MemoryIndex, a_phenopacket, feature_table
from sqlalchemy import Connection

from cluster.flow import accesses, deliveries, projection
from cluster.flow.platform import Platform, platform_folder
from cluster.storage.files import write_durably
from cluster.storage.ledger import Ledger
from tests.unit.flow.world import (
    NOW,
    World,
    an_event,
    audit_actions,
    event_table,
    held,
    read,
    settlement,
    take_in,
)

ROOT = Path(__file__).resolve().parents[2]
ENDED = 9
COHORT = {
    "north": (a_phenopacket("a"), a_phenopacket("b", observed=("HP:0001627",))),
    "south": (a_phenopacket("s", observed=("HP:0002069",)),),
}

# Step, which of its transactions, and whether the process ends before or after that commit.
POINTS = {
    "ingest before the cases are durable": ("ingest", 1, "before"),
    "ingest before the index is written": ("ingest", 1, "after"),
    "ingest before the index is known to be written": ("ingest", 3, "before"),
    "accesses before they are durable": ("accesses", 1, "before"),
    "accesses before they are acknowledged": ("accesses", 1, "after"),
    "decide between ledger and index of the rare feature": ("decide", 4, "after"),
    "decide before the decision is durable": ("decide", 6, "before"),
    "decide before the decision is acknowledged": ("decide", 6, "after"),
    "claim before it is durable": ("claim", 1, "before"),
    "claim before the envelope leaves": ("claim", 1, "after"),
    "receive before the case is durable": ("receive", 1, "before"),
    "receive before the receipt leaves": ("receive", 1, "after"),
    "receive before the index is known to be written": ("receive", 3, "before"),
    "settle before it is durable": ("settle", 1, "before"),
    "settle before it is acknowledged": ("settle", 1, "after"),
    "refresh before it is durable": ("refresh", 4, "before"),
    "refresh before it is acknowledged": ("refresh", 4, "after"),
}


class FileIndex(MemoryIndex):
    """A reference index that outlives its process."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        if path.exists():
            super().upsert(feature_table(*json.loads(path.read_bytes())))

    def upsert(self, features: pa.Table) -> None:
        """Replace, and write the file."""
        super().upsert(features)
        write_durably(self._path, json.dumps(list(self._rows.values())).encode())

    def set_rare_features(self, values: Any) -> None:
        """Change, and write the file."""
        super().set_rare_features(values)
        write_durably(self._path, json.dumps(list(self._rows.values())).encode())

    def digests(self) -> dict[str, str]:
        """Return the digest of each row."""
        return {case_id: row["digest"] for case_id, row in self._rows.items()}

    def heat(self) -> dict[str, float]:
        """Return the rare feature of each row."""
        return {case_id: row["rare_feature"] for case_id, row in self._rows.items()}


class Flow:
    """The steps of two platforms, which may be begun again after any of them."""

    def __init__(self, folder: Path, owner: str) -> None:
        self.step = "open"
        self.owner = owner
        self.folder = folder
        self.world = World(folder)
        for name in COHORT:
            index = FileIndex(platform_folder(folder, name) / "index.json")
            platform = replace(self.world.add(name), index=index)
            self.world.platforms[name] = platform
            projection.project(platform)

    def run(self) -> None:
        """Take all steps; what a step answers is noted as acknowledged."""
        for name, packets in COHORT.items():
            self._enter("ingest")
            take_in(self.world.platforms[name], *packets)
            self._acknowledge("cases", [str(packet["id"]) for packet in packets])
        self._enter("agree")
        self.world.agree(("north", "south"))
        north = self.world.platforms["north"]
        self._enter("accesses")
        rows = [an_event(f"e{n}", "a", NOW - 60 * n - 1) for n in range(20)]
        accesses.record_events(north, event_table(rows))
        self._acknowledge("events", [str(row["event_id"]) for row in rows])
        self._enter("decide")
        made = self.world.decide("north", {"a": 0.9, "b": 0.1}, as_of=NOW)
        self._acknowledge("decisions", [record.decision_id for record in made.values()])
        self._carry(north)
        self._enter("refresh")
        self.world.refresh()
        self._acknowledge("refreshes", ["a"])
        self._carry(north)

    def _carry(self, north: Platform) -> None:
        self._enter("release")
        deliveries.release_claims(north, self.owner)
        while deliveries.next_due_at(north) is not None:
            self._enter("claim")
            for envelope in self.world.claim("north", self.owner):
                self._enter("receive")
                answer = self.world.receive(envelope)
                self._acknowledge("inbox", [envelope.delivery_id])
                self._enter("settle")
                deliveries.settle(north, [settlement(envelope, answer)])
                self._acknowledge("outbox", [envelope.delivery_id])

    def _enter(self, step: str) -> None:
        self.step = step

    def _acknowledge(self, what: str, names: Sequence[str]) -> None:
        with (self.folder / "acknowledged").open("a") as stream:
            stream.writelines(f"{what} {name}\n" for name in names)

    def outcome(self) -> dict[str, object]:
        """Return what must be the same however often the process ended on the way."""
        north, south = self.world.platforms["north"], self.world.platforms["south"]
        return {
            "decisions": read(north, "SELECT decision_id, outcome FROM decisions ORDER BY 1"),
            "outbox": read(north, "SELECT kind, case_id, peer, state FROM outbox ORDER BY 1"),
            "received": len(held(south)),
            "inbox": read(south, "SELECT kind FROM inbox ORDER BY 1"),
            "revisions": [len(read(p, "SELECT rev FROM revisions")) for p in (north, south)],
            "events": read(north, "SELECT count(*) FROM events"),
            "related": [len(read(p, "SELECT item_id FROM related")) for p in (north, south)],
            "decided": audit_actions(north).count("decision"),
            "imports": audit_actions(south).count("import"),
            "settled": audit_actions(north).count("disclosure settled"),
        }

    def close(self) -> None:
        """Free the ledgers."""
        for platform in self.world.platforms.values():
            platform.ledger.close()


LEFT = {
    "cases": ("north", "south"),
    "events": ("north",),
    "decisions": ("north",),
    "inbox": ("south",),
    "outbox": ("north",),
    "refreshes": ("north",),
}
KEYS = {
    "cases": "SELECT case_id FROM cases",
    "events": "SELECT event_id FROM events",
    "decisions": "SELECT decision_id FROM decisions",
    "inbox": "SELECT delivery_id FROM inbox",
    "outbox": "SELECT delivery_id FROM outbox WHERE state = 'delivered'",
    "refreshes": "SELECT case_id FROM answers WHERE source = 'network:south'",
}


def end_at(flow: Flow, step: str, number: int, phase: str) -> None:
    """Make this process end before or after one commit of a step."""
    real = Ledger.begin
    seen = 0

    @contextmanager
    def begin(self: Ledger) -> Iterator[Connection]:
        nonlocal seen
        seen += flow.step == step
        is_due = flow.step == step and seen == number
        with real(self) as tx:
            yield tx
            if is_due and phase == "before":
                os._exit(ENDED)
        if is_due:
            os._exit(ENDED)

    Ledger.begin = begin  # type: ignore[method-assign]  # a process that ends itself


def main(folder: Path) -> None:
    """Run the flow once for each point, each in a copy of this process."""
    for number, point in enumerate(POINTS.values()):
        place = folder / str(number)
        place.mkdir()
        child = os.fork()
        if child == 0:
            flow = Flow(place, "the dead")
            end_at(flow, *point)
            flow.run()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        (place / "status").write_text(str(os.waitstatus_to_exitcode(status)))


@pytest.fixture(scope="module")
def remains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that the ended processes left, numbered as the points."""
    folder = tmp_path_factory.mktemp("remains")
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    subprocess.run(
        [sys.executable, __file__, str(folder)],
        env=os.environ | {"PYTHONPATH": paths},
        check=True,
        timeout=120,
    )
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The outcome of a flow to which nothing happened."""
    flow = Flow(tmp_path_factory.mktemp("undisturbed"), "courier")
    flow.run()
    outcome = flow.outcome()
    flow.close()
    return outcome


pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_lost_and_nothing_doubled(
    point: str, remains: Path, undisturbed: dict[str, object]
) -> None:
    """A4 A11 A13: what was acknowledged is there, and the flow comes to the same end."""
    folder = remains / str(list(POINTS).index(point))
    assert (folder / "status").read_text() == str(ENDED), "the point was not reached"
    flow = Flow(folder, "the next")
    platforms = flow.world.platforms
    acknowledged = (folder / "acknowledged").read_text() if _has(folder) else ""
    for line in acknowledged.splitlines():
        what, name = line.split()
        found = [row for place in LEFT[what] for row in read(platforms[place], KEYS[what])]
        assert found.count((name,)) == 1, line
    for platform in platforms.values():
        audit_actions(platform)
    flow.run()
    assert flow.outcome() == undisturbed
    for platform in platforms.values():
        assert isinstance(platform.index, FileIndex)
        stored = dict(read(platform, "SELECT case_id, digest FROM cases"))
        assert platform.index.digests() == stored
        heat = dict(read(platform, "SELECT case_id, rare_feature FROM cases"))
        assert platform.index.heat() == pytest.approx(heat)
    flow.close()


def test_the_undisturbed_flow_has_something_to_lose(undisturbed: dict[str, object]) -> None:
    """A13: the comparison above is not one of empty platforms."""
    assert undisturbed["outbox"] == [
        ("case", "a", "south", "delivered"),
        ("related", "a", "south", "delivered"),
    ]
    assert (undisturbed["received"], undisturbed["imports"]) == (1, 2)
    assert undisturbed["events"] == [(20,)]


def _has(folder: Path) -> bool:
    return (folder / "acknowledged").exists()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
