"""Image models in the registry: upload, acceptance, the public folder, and operators' jobs."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
from bundle_builders import (
    a_bundle,
    check_folder,
    opened,
    seen_by_a_client,
    some_metrics,
    stored,
)

from actors.image_registry import ImageRegistry
from actors.registry import RegistryService, start_registry
from cluster.contracts.disease import DiseaseAnswer
from cluster.contracts.image_models import ModelList
from cluster.contracts.registry import Registered
from cluster.errors import Conflict, InputError, ModelRefused
from cluster.ids import sha256
from cluster.models.bundle import bundle_bytes
from cluster.settings import Settings
from cluster.storage.backup import copy_blobs, copy_image_sets, restore, seal
from cluster.storage.blobs import BlobStore
from cluster.storage.image_sets import ImageSets
from jobs import accept_model, list_models, refuse_model, retire_model, roll_back_model
from tests.unit.diseases.disease_lines import PNEUMONIA, packed

ROOT = Path(__file__).parents[2]
BOUND = {"pneumonia": "DOID:552"}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def blobs(data_dir: Path) -> BlobStore:
    return BlobStore(str(data_dir / "blobs"))


@pytest.fixture
def service(data_dir: Path) -> Iterator[ImageRegistry]:
    made = opened(data_dir)
    yield made
    made.close()


def job(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    chosen = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DAZZLE_"))}
    return subprocess.run(
        [sys.executable, "-m", f"jobs.{name}", *words],
        cwd=ROOT, env=chosen | environment, capture_output=True, text=True, timeout=200,
        check=False,
    )  # fmt: skip


def test_a_bundle_is_listed_with_its_files(
    service: ImageRegistry, blobs: BlobStore, data_dir: Path
) -> None:
    """C4 C11: files first, then the list; the same bundle twice changes nothing."""
    content = stored(blobs)
    first = service.publish_images(content, "fit_inception")
    assert (first.version, first.number, first.state) == (sha256(content), 1, "published")
    assert first.serving and first.parent == "" and first.accuracy == 0.9
    check_folder(service, data_dir)
    before = (data_dir / "public" / "models.json").stat()
    assert service.publish_images(content, "somebody else") == first
    assert len(service.image_history()) == 1
    assert (data_dir / "public" / "models.json").stat() == before
    second = service.publish_images(stored(blobs, text="2"), "fit_inception")
    assert (second.number, second.parent, second.serving) == (2, first.version, True)
    assert [one.serving for one in service.model_list().models] == [False, True]


@pytest.mark.parametrize("name", ["model-int8.onnx", "golden-1.png"])
def test_a_bundle_that_is_not_whole_is_not_listed(
    service: ImageRegistry, blobs: BlobStore, data_dir: Path, name: str
) -> None:
    """C4: a file that is missing is named; nothing is listed, nothing is public."""
    bundle, contents = a_bundle()
    for one in set(contents) - {name}:
        blobs.put(contents[one])
    with pytest.raises(ModelRefused, match=f"{name}: the file is missing"):
        service.publish_images(bundle_bytes(bundle), "test")
    assert service.model_list(states=("pending", "published")).models == ()
    assert service.image_history() == [] and not (data_dir / "public").exists()


def test_what_waits_is_seen_by_operators_only(
    service: ImageRegistry, blobs: BlobStore, data_dir: Path
) -> None:
    """C9: no file and no line of an upload is public before it is accepted, or once refused."""
    service.publish_images(stored(blobs), "trainer")
    one = service.publish_images(stored(blobs, text="2"), "uploader", pending=True)
    other = service.publish_images(stored(blobs, text="3"), "uploader", pending=True)
    service.refuse_image("lungs", "3", "Ann", "not better")
    check_folder(service, data_dir)
    everything = b"".join(p.read_bytes() for p in (data_dir / "public").rglob("*") if p.is_file())
    for version in (one.version, other.version):
        assert version.encode() not in everything
    assert b"not better" not in everything
    assert service.accept_image("lungs", one.version[:10], "Ann").serving
    assert seen_by_a_client(data_dir) == {"lungs": [1, 2]}
    last = service.image_history()[-1]
    assert (last.action, last.by, last.version) == ("published", "Ann", one.version)


def test_a_model_at_chance_does_not_become_the_serving_one(
    service: ImageRegistry, blobs: BlobStore, data_dir: Path
) -> None:
    """C9: trained here or not, what is not surely better than guessing waits, and says why; so does
    what is clearly worse than the version that serves. An operator may take it all the same.
    """
    labels = ("normal", "pneumonia")
    service.publish_images(stored(blobs, metrics=some_metrics(labels, 100, 95)), "trainer")
    for text, right in (("chance", 52), ("worse", 80)):
        content = stored(blobs, text=text, metrics=some_metrics(labels, 100, right))
        listed = service.publish_images(content, "trainer")
        assert (listed.state, listed.serving) == ("pending", False)
        assert f"{2 * right} of 200" in listed.reason
        assert service.publish_images(content, "trainer") == listed
    assert "190 of 200" in listed.reason and seen_by_a_client(data_dir) == {"lungs": [1]}
    accepted = service.accept_image("lungs", "3", "Ann")
    assert accepted.serving and accepted.reason == ""


def test_a_reader_never_sees_half_a_model(
    service: ImageRegistry, blobs: BlobStore, data_dir: Path
) -> None:
    """C4: while versions are published and rolled back, every list names whole models only."""
    service.publish_images(stored(blobs, text="0"), "test")
    is_over, problems, rounds = threading.Event(), list[str](), 0

    def read() -> None:
        nonlocal rounds
        while not is_over.is_set() or not rounds:
            try:
                seen_by_a_client(data_dir)
            except (AssertionError, OSError, ValueError) as error:
                problems.append(repr(error))
            rounds += 1

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 9):
        service.publish_images(stored(blobs, text=str(n)), "test")
        service.serve_image("lungs", "1", "test")
    is_over.set()
    reader.join()
    assert problems == [] and rounds > 0


def test_two_uploads_of_one_name_are_two_versions(blobs: BlobStore, data_dir: Path) -> None:
    """C9: from two processes at once: in order, each whole, each the child of the one before."""
    code = """
import sys
from pathlib import Path
from bundle_builders import opened, stored
from cluster.errors import StoreUnavailable
from cluster.storage.blobs import BlobStore
folder, own = Path(sys.argv[1]), sys.argv[2]
for n in range(4):
    content = stored(BlobStore(str(folder / "blobs")), text=f"{own}{n}")
    service = None
    while service is None:
        try:
            service = opened(folder)
        except StoreUnavailable:
            pass
    service.publish_images(content, own)
    service.close()
"""
    path = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(data_dir), own], cwd=ROOT, env=path)
        for own in ("a", "b")
    ]
    assert [one.wait(timeout=200) for one in running] == [0, 0]
    service = opened(data_dir)
    models = service.model_list().models
    check_folder(service, data_dir)
    service.close()
    assert [one.number for one in models] == list(range(1, 9))
    assert [one.parent for one in models] == ["", *(one.version for one in models[:-1])]
    for own in ("a", "b"):
        made = [change for change in _history(data_dir) if change[0] == own]
        assert len(made) == 4


def _history(data_dir: Path) -> list[tuple[str, str]]:
    service = opened(data_dir)
    found = [(one.by, one.version) for one in service.image_history()]
    service.close()
    return found


def test_answers_follow_the_disease_database(tmp_path: Path) -> None:
    """C8 C11: bound ids must be those of records; answers are renewed with the database, and go
    with the record; the folder is made anew where it is lost.
    """
    data_dir = tmp_path.resolve()
    blobs = BlobStore(str(data_dir / "blobs"))
    service = RegistryService(Settings(data_dir=data_dir))
    service.load_diseases(packed(*PNEUMONIA[2:]), "old.jsonl.gz", {})
    content = stored(blobs, diseases=BOUND)
    with pytest.raises(ModelRefused, match=r"DOID:552 is no record of old.jsonl.gz"):
        service.publish_images(content, "test")
    service.load_diseases(packed(*PNEUMONIA[:2]), "new.jsonl.gz", {})
    listed = service.publish_images(content, "test")
    assert (listed.diseases, listed.disease_names) == (("DOID:552",), ("pneumonia",))
    file = data_dir / "public" / "answers" / "DOID_552.json"
    answer = DiseaseAnswer.model_validate_json(file.read_bytes())
    assert (answer.disease_id, answer.synonyms) == ("DOID:552", ())
    renamed = {**PNEUMONIA[1], "synonyms": ["lung fever"]}
    service.load_diseases(packed(*PNEUMONIA[2:], renamed), "newer.jsonl.gz", {})
    answer = DiseaseAnswer.model_validate_json(file.read_bytes())
    assert answer.synonyms == ("lung fever",)
    assert [one.name for one in service.model_list("lung fever").models] == ["lungs"]
    assert service.model_list("DOID:874").models == service.model_list(name="x").models == ()
    with pytest.raises(InputError):
        service.model_list("DOID:x")
    shutil.rmtree(data_dir / "public")
    service.close()
    service = RegistryService(Settings(data_dir=data_dir))
    check_folder(service, data_dir)
    service.load_diseases(packed(*PNEUMONIA[2:]), "old.jsonl.gz", {})
    assert not file.exists()
    service.close()


def test_a_lost_blob_takes_one_version_out_of_the_list(
    blobs: BlobStore, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """C4: what is not whole is not offered; the registry works, and an upload heals it."""
    service = opened(data_dir)
    service.publish_images(stored(blobs), "test")
    content = stored(blobs, text="2")
    second = service.publish_images(content, "test")
    lost = a_bundle(text="2")[0].variants[0].sha256
    for path in (blobs.local_path(lost), data_dir / "public" / "files" / lost):
        assert path is not None
        path.unlink()
    service.close()
    again = opened(data_dir)
    assert seen_by_a_client(data_dir) == {"lungs": [1]}
    assert f"version 2 of lungs is not offered: not_found: there is no blob {lost}" in caplog.text
    assert again.publish_images(stored(blobs, text="2"), "test") == second
    assert seen_by_a_client(data_dir) == {"lungs": [1, 2]}
    again.close()


def test_a_folder_that_cannot_be_written_stops_nobody_for_long(
    blobs: BlobStore, data_dir: Path
) -> None:
    """C4: the call fails, the list before stands; the next start puts it right."""
    service = opened(data_dir)
    service.publish_images(stored(blobs), "test")
    files = data_dir / "public" / "files"
    files.rename(data_dir / "aside")
    files.write_text("in the way")
    with pytest.raises(OSError, match="exists"):
        service.publish_images(stored(blobs, text="2"), "test")
    service.close()
    again = opened(data_dir)
    assert len(again.model_list().models) == 2
    again.close()
    files.unlink()
    (data_dir / "aside").rename(files)
    assert seen_by_a_client(data_dir) == {"lungs": [1]}
    again = opened(data_dir)
    check_folder(again, data_dir)
    assert seen_by_a_client(data_dir) == {"lungs": [1, 2]}
    again.close()


def test_a_backup_brings_models_and_image_sets_back(tmp_path: Path) -> None:
    """B3 C11: from ledger, lists and blobs; the public folder is made anew."""
    data_dir = (tmp_path / "live").resolve()
    blobs = BlobStore(str(data_dir / "blobs"))
    service = RegistryService(Settings(data_dir=data_dir))
    service.publish_images(stored(blobs), "test")
    service.publish_images(stored(blobs, text="2"), "test", pending=True)
    a_set = data_dir / "image_sets" / "chest" / f"{'a' * 64}.json"
    a_set.parent.mkdir(parents=True)
    a_set.write_text(
        json.dumps(
            {"name": "chest", "digest": "a" * 64, "stored_at": 1.0, "card": {"accepted": True}}
        )
    )
    rows, copy = service.listing(), tmp_path / "backup"
    service.backup(str(copy))
    copy_image_sets(data_dir, copy)
    copy_blobs(blobs, copy)
    seal(copy)
    service.close()
    restore(copy, tmp_path / "new")
    restored = RegistryService(Settings(data_dir=tmp_path / "new"))
    check_folder(restored, tmp_path / "new")
    assert restored.listing() == rows
    assert ImageSets.of(Settings(data_dir=tmp_path / "new")).names() == ["chest"]
    restored.close()
    kinds = [(row.kind, row.name) for row in rows]
    assert kinds == [
        ("training data", "chest"),
        ("algorithm", "inception_v3"), ("algorithm", "efficientnet_lite0"),
        ("model", "lungs"), ("model", "lungs"),
    ]  # fmt: skip
    model = rows[-1]
    assert model.state == "pending" and f"follows: {rows[-2].version}" in model.lineage
    assert f"training data: {sha256('chest')}" in model.lineage and "seed: 0" in model.lineage
    assert (tmp_path / "new" / model.place).is_file()
    assert [(one.action, one.by) for one in model.history] == [("pending", "test")]


def test_operators_decide_by_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """C4 C9: accept, roll back, retire and refuse, without a cluster; the list says how it is."""
    data_dir = (tmp_path / "data").resolve()
    blobs, place = BlobStore(str(data_dir / "blobs")), [f"data_dir={data_dir}"]
    service = RegistryService(Settings(data_dir=data_dir))
    for n in range(3):
        service.publish_images(stored(blobs, text=str(n)), "upload [bold]", pending=n > 0)
    service.close()

    def said(verb: Callable[..., None], *asked: object, **named: object) -> str:
        verb(*asked, **named, settings=place)
        return capsys.readouterr().out

    told = said(accept_model.main, "lungs", "2", "Ann", "")
    assert "lungs 2 (" in told and "): published, serves" in told
    assert ": published, serves" in said(roll_back_model.main, "lungs", "1", "Ann", "")
    assert "retired" in said(retire_model.main, "lungs", "2", "Ann", "x [bold]")
    assert "refused" in said(refuse_model.main, "lungs", "3", "Ann", "y")
    with pytest.raises(Conflict, match="is refused, not pending"):
        said(accept_model.main, "lungs", "3", "Ann", "")
    shown = said(list_models.main, every=True)
    assert "retired: x" in shown and "refused: y" in shown and "[bold]" in shown
    assert "fit_incep" in shown
    listed = ModelList.model_validate_json(said(list_models.main, as_json=True))
    assert [(one.number, one.serving) for one in listed.models] == [(1, True)]
    kept = json.loads(said(list_models.main, registry=True, as_json=True))
    rows = [Registered.model_validate(row) for row in kept if row["name"] == "lungs"]
    assert [one.action for one in rows[1].history] == ["pending", "published", "retired"]
    assert [one.by for one in rows[1].history] == ["upload [bold]", "Ann", "Ann"]
    assert "inception_v3" in said(list_models.main, registry=True)


def test_jobs_end_with_one_line(tmp_path: Path) -> None:
    """C9: an empty registry says so and makes no public folder; wrong input is one line."""
    place = ("--set", f"data_dir={tmp_path}")
    shown = job("list_models", *place)
    assert shown.returncode == 0 and "no image model is listed" in shown.stdout
    assert not (tmp_path / "public").exists()
    wrong = job("accept_model", "--name", "a", "--version", "newest", "--by", "Ann", *place)
    assert wrong.returncode == 2 and "names no version" in wrong.stderr
    assert "Traceback" not in wrong.stderr


@pytest.mark.ray
def test_a_running_registry_is_asked(ray_cluster: None, tmp_path: Path) -> None:
    """C4 C9: a job reaches the cluster's registry; uploads at once are versions in order."""
    data_dir = (tmp_path / "data").resolve()
    blobs = BlobStore(str(data_dir / "blobs"))
    registry = start_registry(Settings(data_dir=data_dir))
    try:
        contents = [stored(blobs, text=str(n)) for n in range(3)]
        calls = [registry.publish_images.remote(one, "test", pending=True) for one in contents]
        assert sorted(one.number for one in ray.get(calls)) == [1, 2, 3]
        address = ray.get_runtime_context().gcs_address
        token = {k: v for k, v in os.environ.items() if k.startswith("RAY_AUTH")}
        who = ("--name", "lungs", "--version", "1", "--by", "Ann", "--set")
        done = job("accept_model", *who, f"data_dir={data_dir}", RAY_ADDRESS=address, **token)
        assert done.returncode == 0, done.stderr
        assert seen_by_a_client(data_dir) == {"lungs": [1]}
        other = job("accept_model", *who, f"data_dir={tmp_path}", RAY_ADDRESS=address, **token)
        assert other.returncode == 1 and "registry keeps" in other.stderr
    finally:
        ray.kill(registry)
