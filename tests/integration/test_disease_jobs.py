"""The disease database through the registry and through its two jobs."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from actors.registry import RegistryService, start_registry
from cluster.contracts.disease import DiseaseAnswer, DiseaseCard
from cluster.errors import Conflict, SourceUnreadable
from cluster.flow.diseases import DiseaseDatabase
from cluster.ids import sha256
from cluster.settings import Settings
from cluster.storage.backup import copy_blobs, restore, seal
from cluster.storage.blobs import BlobStore
from tests.unit.diseases.disease_lines import PNEUMONIA, bytes_below, packed

ROOT = Path(__file__).parents[2]
GOOD = packed(*PNEUMONIA)
FIRST = packed(*PNEUMONIA[:2])


class Keeper:
    """A registry on a data folder, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.service = RegistryService(Settings(data_dir=folder))

    def load(self, content: bytes, **dates: str) -> DiseaseCard:
        return self.service.load_diseases(content, "d.jsonl.gz", dates)

    def restarted(self) -> "Keeper":
        self.service.close()
        return Keeper(self.folder)

    def answers(self) -> str:
        """Return the digest of what serves, to who reads the folder only."""
        return DiseaseDatabase.of(self.folder).card.digest


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    made = Keeper(tmp_path / "data")
    yield made
    made.service.close()


def job(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    chosen = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DAZZLE_"))}
    return subprocess.run(
        [sys.executable, "-m", f"jobs.{name}", *words],
        cwd=ROOT,
        env=chosen | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_file_is_kept_with_its_version(keeper: Keeper) -> None:
    """C8 C11: bytes in the blob store, card and lineage in the ledger, newest one serving."""
    first, second = keeper.load(FIRST), keeper.load(GOOD, Orphanet="2026-06-23")
    assert [first.digest, second.digest] == [sha256(FIRST), sha256(GOOD)]
    assert keeper.service.diseases() == [first, second]
    assert keeper.service.content(second.digest) == GOOD
    assert second.loaded_at > 0 and keeper.answers() == second.digest


def test_the_same_file_twice_changes_nothing(keeper: Keeper) -> None:
    """C8: not the card, not a byte of the tables; other dates renew the card, an older file
    serves again.
    """
    card = keeper.load(GOOD)
    before = bytes_below(keeper.folder / "diseases")
    assert keeper.load(GOOD) == card
    assert bytes_below(keeper.folder / "diseases") == before
    dated = keeper.load(GOOD, Orphanet="2026-06-23")
    assert keeper.service.diseases() == [dated] and dated.dates == {"Orphanet": "2026-06-23"}
    assert DiseaseDatabase.of(keeper.folder).card == dated
    keeper.load(FIRST)
    assert keeper.load(GOOD, Orphanet="2026-06-23").digest == sha256(GOOD) == keeper.answers()


def test_a_damaged_file_changes_nothing(keeper: Keeper) -> None:
    """C8: no blob, no version, no other answer."""
    keeper.load(FIRST)
    with pytest.raises(SourceUnreadable):
        keeper.load(GOOD[:-20])
    assert keeper.answers() == sha256(FIRST)
    assert len(keeper.service.diseases()) == 1
    assert BlobStore(str(keeper.folder / "blobs")).digests() == [sha256(FIRST)]


def test_another_data_folder_is_refused(keeper: Keeper) -> None:
    """C8: nobody loads into a folder that he does not mean."""
    with pytest.raises(Conflict, match="keeps"):
        keeper.service.check_folder("/elsewhere")


@pytest.mark.parametrize("lost", ["pointer", "broken pointer", "folder", "everything"])
def test_a_restarted_registry_puts_right_what_was_lost(keeper: Keeper, lost: str) -> None:
    """C8 B3: tables are a projection: ledger and blob make them anew."""
    card = keeper.load(GOOD, Orphanet="2026-06-23")
    root = keeper.folder / "diseases"
    if lost == "pointer":
        (root / "serving.json").unlink()
    elif lost == "broken pointer":
        (root / "serving.json").write_text("{")
    elif lost == "folder":
        shutil.rmtree(next(path for path in root.iterdir() if path.is_dir()))
    else:
        shutil.rmtree(root)
    again = keeper.restarted()
    assert DiseaseDatabase.of(keeper.folder).card == card
    assert DiseaseDatabase.of(keeper.folder).find("lung")
    again.service.close()
    keeper.service = Keeper(keeper.folder).service


def test_a_lost_blob_does_not_stop_the_registry(keeper: Keeper) -> None:
    """C8: models are served all the same; who asks for a disease is told what is missing."""
    keeper.load(GOOD)
    shutil.rmtree(keeper.folder / "diseases")
    shutil.rmtree(keeper.folder / "blobs")
    again = keeper.restarted()
    assert again.service.models() == []
    with pytest.raises(Exception, match="missing"):
        DiseaseDatabase.of(keeper.folder)
    again.load(GOOD)
    assert again.answers() == sha256(GOOD)
    again.service.close()
    keeper.service = Keeper(keeper.folder).service


def test_a_backup_brings_the_database_back(keeper: Keeper, tmp_path: Path) -> None:
    """C8 B3: from ledger and blobs alone."""
    keeper.load(GOOD)
    copy = tmp_path / "backup"
    keeper.service.backup(str(copy))
    copy_blobs(BlobStore(str(keeper.folder / "blobs")), copy)
    seal(copy)
    restore(copy, tmp_path / "new")
    restored = Keeper(tmp_path / "new")
    assert restored.answers() == sha256(GOOD)
    restored.service.close()


def test_the_jobs_load_and_find(tmp_path: Path) -> None:
    """C8: demo first, then the file; code, name and words; the same load again; wrong input."""
    place = ("--set", f"data_dir={tmp_path / 'data'}")
    shown = job("find_disease", "viral", "pneumonia", *place)
    assert shown.returncode == 0, shown.stderr
    assert "DEMO" in shown.stdout and "DOID:10533" in shown.stdout
    file = tmp_path / "d.jsonl.gz"
    file.write_bytes(packed(*PNEUMONIA, b"{"))
    loaded = job("load_diseases", "--file", str(file), "--date", "NHLBI=2019", *place)
    assert loaded.returncode == 0, loaded.stderr
    assert "6 diseases, 1 lines refused; findings: 1 not_json" in loaded.stdout
    assert "line 7, not_json" in loaded.stdout
    shown = job("find_disease", "ICD-10:J15.9", *place)
    for part in ("DOID:874  bacterial pneumonia", "found by the code ICD10:J15.9", "Rest."):
        assert part in shown.stdout
    assert "[NHLBI, 2019] https://example.org/t" in shown.stdout
    assert "above it: DOID:552 pneumonia" in shown.stdout and "DEMO" not in shown.stdout
    again = job("load_diseases", *place, DAZZLE_DISEASES_PATH=str(file))
    assert again.returncode == 0 and again.stdout.splitlines()[0] == loaded.stdout.splitlines()[0]
    words = job("find_disease", "lung", "--json", *place)
    answer = DiseaseAnswer.model_validate(json.loads(words.stdout))
    assert (answer.match.how, answer.disease_id) == ("words", "DOID:850")
    assert "no disease was found" in job("find_disease", "zzzz", *place).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["find_disease", "OMIM:12"], "is not a code of OMIM"),
        (["find_disease", "x", "--others", "-1"], "others is -1"),
        (["load_diseases"], "no file of disease records is named"),
        (["load_diseases", "--file", "nowhere.jsonl"], "cannot be read"),
        (["load_diseases", "--file", "README.md"], "is not a file of disease records"),
        (["load_diseases", "--file", "x.jsonl", "--date", "2026"], "is not SOURCE=DATE"),
    ],
)
def test_wrong_input_of_the_jobs_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    """C8: what is wrong and what to do; exit code 2, no stack."""
    ended = job(*words, "--set", f"data_dir={tmp_path}")
    assert ended.returncode == 2
    assert said in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.ray
def test_a_running_registry_loads_for_the_job(ray_cluster: None, tmp_path: Path) -> None:
    """C8: where a cluster keeps the ledger, its registry does it; another folder is refused."""
    data = (tmp_path / "data").resolve()
    registry = start_registry(Settings(data_dir=data))
    try:
        assert ray.get(registry.diseases.remote()) == []
        file = tmp_path / "d.jsonl.gz"
        file.write_bytes(GOOD)
        address = ray.get_runtime_context().gcs_address
        token = {k: v for k, v in os.environ.items() if k.startswith("RAY_AUTH")}
        words = ("load_diseases", "--file", str(file), "--set")
        loaded = job(*words, f"data_dir={data}", RAY_ADDRESS=address, **token)
        assert loaded.returncode == 0, loaded.stderr
        (card,) = ray.get(registry.diseases.remote())
        assert card.digest == sha256(GOOD) == DiseaseDatabase.of(data).card.digest
        locked = job(*words, f"data_dir={data}")
        assert locked.returncode == 1 and "another process has this ledger open" in locked.stderr
        other = job(*words, f"data_dir={tmp_path / 'other'}", RAY_ADDRESS=address, **token)
        assert other.returncode == 1 and "registry keeps" in other.stderr
    finally:
        ray.kill(registry)
