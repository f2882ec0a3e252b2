"""Backup and restore of a data folder: ledgers, keys, sets, blobs, each file under its digest (B3).

Indexes and the public list are not in a backup: they are made anew from the ledgers.
"""

import json
import shutil
from pathlib import Path
from typing import Final

from cluster.errors import IntegrityError, NotFound, StoreUnavailable
from cluster.ids import sha256
from cluster.storage.blobs import BlobStore
from cluster.storage.files import write_durably
from cluster.storage.image_sets import FOLDER as IMAGE_SETS

MANIFEST: Final = "manifest.json"
BLOBS: Final = "blobs"


def copy_blobs(blobs: BlobStore, folder: Path) -> None:
    """Copy the blobs that the backup does not have yet."""
    copy_all(blobs, BlobStore(str(folder / BLOBS)))


def copy_image_sets(data_dir: Path, folder: Path) -> None:
    """Copy what names the sets of images; the images themselves are blobs."""
    for path in sorted((data_dir / IMAGE_SETS).glob("*/[0-9a-f]*.json")):
        write_durably(folder / path.relative_to(data_dir), path.read_bytes())


def copy_all(source: BlobStore, target: BlobStore) -> None:
    """Copy the blobs that the target does not have yet, checked; a blob never changes."""
    for digest in source.digests():
        if not target.has(digest):
            target.put(source.get(digest))


def seal(folder: Path) -> int:
    """Write the digests of all files of a backup, and return how many there are.

    A folder without the manifest is not a backup: the manifest is written last.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST]
    digests = {str(path.relative_to(folder)): sha256(path.read_bytes()) for path in files}
    write_durably(folder / MANIFEST, json.dumps(digests, indent=1).encode())
    return len(digests)


def restore(folder: Path, data_dir: Path) -> int:
    """Check a backup and put it into an empty data folder; returns the number of files.

    Raises:
        NotFound: the folder is not a whole backup.
        IntegrityError: a file is missing or changed.
        StoreUnavailable: the data folder is not empty.
    """
    manifest = folder / MANIFEST
    if not manifest.exists():
        what = f"{folder} is not a whole backup"
        raise NotFound(what, MANIFEST, "Give the folder that the backup job wrote.")
    if data_dir.exists() and any(data_dir.iterdir()):
        what = f"{data_dir} is not empty"
        raise StoreUnavailable(what, remedy="Restore into a new folder.")
    digests: dict[str, str] = json.loads(manifest.read_bytes())
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file() or sha256(path.read_bytes()) != digest:
            what = f"{name} is missing or changed"
            raise IntegrityError(what, str(folder), "Take another backup.")
    for name in digests:
        target = data_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / name, target)
    return len(digests)
