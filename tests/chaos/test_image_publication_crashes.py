"""A registry that ends between any two writes never offers half a model, and puts itself right.

One child is started, and forks a copy for each point: the copy publishes a version and retires the
one before, and is killed right before its n-th rename, link or removal of a file.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bundle_builders import check_folder, opened, seen_by_a_client, stored

from actors.image_registry import ImageRegistry
from cluster.contracts.disease import DiseaseCard
from cluster.errors import Conflict
from cluster.ids import sha256
from cluster.storage.blobs import BlobStore
from cluster.storage.diseases import DiseaseShelf
from tests.unit.diseases.disease_lines import PNEUMONIA, packed

ROOT = Path(__file__).resolve().parents[2]
POINTS_MAX = 60
CHILD = """
import os, shutil, signal, sys
from pathlib import Path
from tests.chaos.test_image_publication_crashes import POINTS_MAX, change, opened

WRITES = {"os.rename", "os.link", "os.remove"}
prepared, out = Path(sys.argv[1]), Path(sys.argv[2])
for point in range(1, POINTS_MAX):
    folder = out / f"{point:02d}"
    shutil.copytree(prepared, folder)
    child = os.fork()
    if child == 0:
        seen = 0
        def hook(event, _):
            global seen
            if event in WRITES:
                seen += 1
                if seen == point:
                    os.kill(os.getpid(), signal.SIGKILL)
        service = opened(folder)
        sys.addaudithook(hook)
        change(service, folder)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status == 0:
        break
    assert os.WIFSIGNALED(status), status
"""


def change(service: ImageRegistry, folder: Path) -> None:
    """Publish a second version, bound to a disease, then retire the first; safe to repeat."""
    blobs = BlobStore(str(folder / "blobs"))
    content = stored(blobs, text="2", diseases={"pneumonia": "DOID:874"})
    service.publish_images(content, "test")
    service.retire_image("lungs", "1", "operator", "worse")


@pytest.mark.chaos
def test_a_kill_between_any_two_writes_is_made_good(tmp_path: Path) -> None:
    """C4: what a client sees is whole at every instant; the next start makes the folder what the
    ledger says, and the same calls again end where they would have ended.
    """
    prepared = tmp_path / "prepared"
    content = packed(*PNEUMONIA)
    shelf = DiseaseShelf(prepared)
    shelf.serve(
        shelf.build(content, DiseaseCard(name="d.jsonl", digest=sha256(content), records=0))
    )
    service = opened(prepared)
    first = stored(BlobStore(str(prepared / "blobs")), diseases={"pneumonia": "DOID:552"})
    service.publish_images(first, "test")
    service.close()
    out = tmp_path / "out"
    out.mkdir()
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, "-c", CHILD, str(prepared), str(out)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=200)
    folders = sorted(out.iterdir())
    assert 12 <= len(folders) < POINTS_MAX
    seen = []
    for folder in folders:
        seen.append(seen_by_a_client(folder)["lungs"])
        service = opened(folder)
        check_folder(service, folder)
        change(service, folder)
        check_folder(service, folder)
        assert seen_by_a_client(folder) == {"lungs": [2]}
        assert [one.action for one in service.image_history()] == [
            "published", "published", "retired",
        ]  # fmt: skip
        with pytest.raises(Conflict):
            service.serve_image("lungs", "1", "operator")
        service.close()
    assert {tuple(one) for one in seen} == {(1,), (1, 2), (2,)}
    shutil.rmtree(out)
