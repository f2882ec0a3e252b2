"""The list L as a folder that any web server may serve; a projection of the registry (C4, C9).

``models.json`` is the list, ``files/<sha256>`` the files of published versions, and
``answers/<id>.json`` what is known of their diseases, with an underscore for the colon of the id.
A file or answer is there before the list names it, and goes after the list no longer does; each is
whole or absent.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cluster.contracts.image_models import ModelList
from cluster.storage.blobs import BlobStore
from cluster.storage.files import sync_folder, write_durably

FOLDER: Final = "public"
MODELS: Final = "models.json"
FILES: Final = "files"
ANSWERS: Final = "answers"
PARTIAL: Final = ".partial"


def answer_name(disease_id: str) -> str:
    """Return the name of the file with what is known of a disease."""
    return f"{disease_id.replace(':', '_')}.json"


class PublicList:
    """The folder; one process writes, any may read."""

    def __init__(self, data_dir: Path, blobs: BlobStore) -> None:
        """Remember where it is and where its files come from."""
        self.folder = data_dir / FOLDER
        self._blobs = blobs

    def add_files(self, sizes: Mapping[str, int]) -> None:
        """Put files there, linked to their blobs where that is possible, else copied.

        Args:
            sizes: bytes of each file, by digest; one that is there in this size is left as it is.

        Raises:
            NotFound: a blob is missing.
            IntegrityError: a blob has changed.
            OSError: there is no room, or no right to write.
        """
        files = self.folder / FILES
        files.mkdir(parents=True, exist_ok=True)
        lacking = [
            digest
            for digest, size in sizes.items()
            if not (files / digest).is_file() or (files / digest).stat().st_size != size
        ]
        for digest in lacking:
            self._add(files / digest, digest)
        if lacking:
            sync_folder(files)

    def _add(self, path: Path, digest: str) -> None:
        content = self._blobs.get(digest)  # checked, so that nothing else is ever linked
        blob = self._blobs.local_path(digest)
        path.unlink(missing_ok=True)
        if blob is not None:
            with suppress(OSError):  # another disk, or a file system without links
                os.link(blob, path)
                return
        write_durably(path, content)

    def write_answers(self, answers: Mapping[str, bytes]) -> None:
        """Put what is known of each disease there, by its id."""
        for one, content in answers.items():
            _write(self.folder / ANSWERS / answer_name(one), content)

    def write_list(self, models: ModelList) -> None:
        """Replace the list in one step; where nothing has changed, nothing is written."""
        _write(self.folder / MODELS, models.model_dump_json(indent=1).encode())

    def keep_answers(self, disease_ids: Iterable[str]) -> None:
        """Remove the answers of all other diseases."""
        _keep(self.folder / ANSWERS, map(answer_name, disease_ids))

    def keep_files(self, digests: Iterable[str]) -> None:
        """Remove every other file, and what a process left that died while writing."""
        _keep(self.folder / FILES, digests)
        for path in self.folder.glob(f".*{PARTIAL}"):
            path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with suppress(OSError):
        if path.read_bytes() == content:
            return
    write_durably(path, content)


def _keep(folder: Path, names: Iterable[str]) -> None:
    kept = set(names)
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)
