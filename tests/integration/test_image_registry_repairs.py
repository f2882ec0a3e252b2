"""What the registry does where the public folder or a stored bundle is not as it should be."""

from pathlib import Path

import pytest
from bundle_builders import a_bundle, check_folder, opened, seen_by_a_client, stored

from actors.registry import RegistryService
from cluster.contracts.registry import ModelChange
from cluster.ids import sha256
from cluster.models.bundle import bundle_bytes
from cluster.models.cards import IMAGE_MODEL
from cluster.models.image_list import entry_of
from cluster.settings import Settings
from cluster.storage import tables
from cluster.storage.blobs import BlobStore
from cluster.storage.ledger import Ledger
from cluster.storage.registry import Artefact, put_artefact, put_change
from tests.unit.diseases.disease_lines import PNEUMONIA, packed

BOUND = {"pneumonia": "DOID:552"}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def blobs(data_dir: Path) -> BlobStore:
    return BlobStore(str(data_dir / "blobs"))


def test_an_answer_goes_after_the_list_that_names_its_disease(data_dir: Path) -> None:
    """C4 C8: where the list cannot be replaced, all that the old one leads to is still there, and
    what the new one leads to is there already.
    """
    blobs = BlobStore(str(data_dir / "blobs"))
    service = RegistryService(Settings(data_dir=data_dir))
    service.load_diseases(packed(*PNEUMONIA), "d.jsonl.gz", {})
    service.publish_images(stored(blobs, diseases=BOUND), "test")
    public = data_dir / "public"
    answers = {one: public / "answers" / f"DOID_{one}.json" for one in ("552", "874")}
    listed = (public / "models.json").read_bytes()
    (public / "models.json").unlink()
    (public / "models.json").mkdir()
    with pytest.raises(OSError, match=r"models\.json"):
        service.retire_image("lungs", "1", "Ann", "old")
    assert answers["552"].is_file()
    with pytest.raises(OSError, match=r"models\.json"):
        service.publish_images(stored(blobs, text="2", diseases={"pneumonia": "DOID:874"}), "test")
    assert answers["552"].is_file() and answers["874"].is_file()
    (public / "models.json").rmdir()
    (public / "models.json").write_bytes(listed)
    assert seen_by_a_client(data_dir) == {"lungs": [1]}
    service.close()
    service = RegistryService(Settings(data_dir=data_dir))
    assert not answers["552"].exists() and answers["874"].is_file()
    check_folder(service, data_dir)
    service.close()


def test_a_bundle_of_an_earlier_release_stops_nobody(
    blobs: BlobStore, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """C4 C11: one that is read no more is not offered; the registry starts, lists and publishes."""
    bundle = a_bundle()[0]
    content = bundle_bytes(bundle) + b"\n"
    version = sha256(stored(blobs) + b"\n")
    blobs.put(content)
    ledger = Ledger(data_dir / "ledger.sqlite", tables.REGISTRY, tables.REGISTRY_MIGRATIONS)
    card = entry_of(bundle, version, "", {}, 1.0).model_dump_json()
    with ledger.begin() as tx:
        put_artefact(tx, Artefact(version, IMAGE_MODEL, None, card))
        put_change(
            tx, ModelChange(name="lungs", version=version, action="published", at=1.0, by="then")
        )
    ledger.close()
    service = opened(data_dir)
    assert seen_by_a_client(data_dir) == {}
    assert "version 1 of lungs is not offered: model_refused: " in caplog.text
    assert [one.version for one in service.image_model_rows()] == [version]
    assert service.publish_images(stored(blobs, text="2"), "test").number == 2
    assert seen_by_a_client(data_dir) == {"lungs": [2]}
    assert service.retire_image("lungs", "1", "Ann", "of an earlier release").state == "retired"
    service.close()
