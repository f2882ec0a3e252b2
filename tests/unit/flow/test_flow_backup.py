"""A backup is whole or none, and what is restored works (B3)."""

from pathlib import Path

import pytest
from builders import MemoryIndex, a_phenopacket

from cluster.clock import ManualClock
from cluster.errors import IntegrityError, NotFound, StoreUnavailable
from cluster.flow import projection, summary
from cluster.flow.platform import open_platform
from cluster.flow.search import search
from cluster.retrieval.query import CaseQuery
from cluster.storage import deliveries, tables
from cluster.storage.backup import MANIFEST, copy_blobs, restore, seal
from cluster.storage.blobs import BlobStore
from cluster.storage.ledger import Ledger
from tests.unit.flow.world import a_pair, a_source, audit_actions, read


def a_backup(folder: Path) -> Path:
    """Seal a small backup."""
    (folder / "platforms").mkdir(parents=True)
    (folder / "platforms" / "ledger.sqlite").write_bytes(b"ledger")
    (folder / "signing.key").write_bytes(b"key")
    assert seal(folder) == 2
    return folder


def test_a_restored_platform_goes_on_where_the_backup_was_taken(tmp_path: Path) -> None:
    """B3: cases, decisions, deliveries, audit and keys are back, and cases are found again."""
    world = a_pair(tmp_path / "live")
    world.decide("north", {"a": 0.9})
    world.deliver()
    north = world.platforms["north"]
    ids = north.shared_id("a", "south"), north.keys.public_key
    folder = tmp_path / "backup"
    assert len(summary.backup(north, str(folder))) == 3
    seal(folder)
    world.decide("north", {"b": 0.9}, as_of=world.clock.now() + 1)
    restore(folder, tmp_path / "new")
    settings = north.settings.model_copy(update={"data_dir": tmp_path / "new"})
    clock = ManualClock(world.clock.now())
    again = open_platform("north", MemoryIndex(), north.ontology, settings, clock)
    projection.project(again)
    assert (again.shared_id("a", "south"), again.keys.public_key) == ids
    assert read(again, "SELECT case_id, outcome FROM decisions") == [("a", "upload")]
    assert read(again, "SELECT case_id, state FROM outbox") == [("a", "delivered")]
    assert audit_actions(again)[0] == "decision"
    (hit,) = search(again, CaseQuery(terms=("HP:0001250",), k=1)).hits
    assert (hit.case_id, hit.similarity) == ("a", 1.0)


def test_a_second_backup_replaces_the_first(tmp_path: Path) -> None:
    """B3: a backup into the same folder is of the later instant, and whole."""
    world = a_pair(tmp_path / "live")
    folder, north = tmp_path / "backup", world.platforms["north"]
    summary.backup(north, str(folder))
    seal(folder)
    world.decide("north", {"a": 0.9})
    (ledger, *_) = summary.backup(north, str(folder))
    seal(folder)
    restore(folder, tmp_path / "new")
    path = tmp_path / "new" / Path(ledger).relative_to(folder)
    copy = Ledger(path, tables.PLATFORM, tables.PLATFORM_MIGRATIONS)
    with copy.begin() as tx:
        assert deliveries.uploaded_cases(tx) == {"a"}
    copy.close()


def test_blobs_are_copied_once(tmp_path: Path) -> None:
    """B3: only blobs that the backup lacks are written."""
    store = BlobStore(str(tmp_path / "live" / "blobs"))
    digest = store.put(b"model")
    folder = tmp_path / "backup"
    copy_blobs(store, folder)
    copied = BlobStore(str(folder / "blobs"))
    assert copied.get(digest) == b"model"
    (place,) = [path for path in folder.rglob("*") if path.is_file()]
    before = place.stat().st_mtime_ns
    second = store.put(b"another model")
    copy_blobs(store, folder)
    assert copied.get(second) == b"another model"
    assert place.stat().st_mtime_ns == before
    copy_blobs(BlobStore(str(tmp_path / "nothing")), folder)


def test_round_trip(tmp_path: Path) -> None:
    """B3: every sealed file comes back with its bytes."""
    folder = a_backup(tmp_path / "backup")
    assert restore(folder, tmp_path / "new") == 2
    assert (tmp_path / "new" / "platforms" / "ledger.sqlite").read_bytes() == b"ledger"
    assert (tmp_path / "new" / "signing.key").read_bytes() == b"key"


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_backup_restores_nothing(tmp_path: Path, damage: str) -> None:
    """B3: every file is checked before the first is copied."""
    folder = a_backup(tmp_path / "backup")
    if damage == "changed":
        (folder / "signing.key").write_bytes(b"yek")
    else:
        (folder / "signing.key").unlink()
    with pytest.raises(IntegrityError, match="missing or changed"):
        restore(folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_manifest_is_no_backup(tmp_path: Path) -> None:
    """B3: a backup that was interrupted is not taken for a whole one."""
    folder = a_backup(tmp_path / "backup")
    (folder / MANIFEST).unlink()
    with pytest.raises(NotFound, match="not a whole backup"):
        restore(folder, tmp_path / "new")


def test_nothing_is_restored_over_data(tmp_path: Path) -> None:
    """B3: a data folder that holds something is left alone; an empty one will do."""
    folder = a_backup(tmp_path / "backup")
    target = tmp_path / "used"
    a_source(target, a_phenopacket("a"))
    with pytest.raises(StoreUnavailable, match="not empty"):
        restore(folder, target)
    assert [path.name for path in target.iterdir()] == ["cases.jsonl"]
    (tmp_path / "empty").mkdir()
    assert restore(folder, tmp_path / "empty") == 2


def test_sealing_again_tells_of_what_was_added(tmp_path: Path) -> None:
    """B3: a second backup into the same folder is sealed as a whole."""
    folder = a_backup(tmp_path / "backup")
    (folder / "more").write_bytes(b"more")
    assert seal(folder) == 3
    assert restore(folder, tmp_path / "new") == 3
