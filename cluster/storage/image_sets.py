"""Cleaned sets of images by name and version: blobs first, the line in the list last.

A version is named by the digest of its manifest, so the same set twice is one version, and two
uploads of one name at once are two versions or one, never a mix. What a process leaves that dies on
the way is blobs without a name, which the next upload of the same set uses.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cluster.contracts.images import (
    DataSetCard,
    ImageSetManifest,
    StoredImage,
    StoredImageSet,
)
from cluster.errors import ImageSetRefused, InputError, NotFound
from cluster.ids import PLATFORM_ID
from cluster.images.examine import manifest_bytes
from cluster.settings import Settings
from cluster.storage.blobs import BlobStore
from cluster.storage.files import write_durably

FOLDER: Final = "image_sets"


def checked_name(name: str) -> str:
    """Return a name that is safe as that of a folder.

    Raises:
        InputError: it is not 1 to 63 of ``a-z0-9-``, starting with a letter or digit.
    """
    if not PLATFORM_ID.fullmatch(name):
        what = f"name {name[:80]!r} of a set is not allowed"
        raise InputError(what, "--name", "Use 1 to 63 of a-z, 0-9 and '-', not '-' first.")
    return name


class ImageSets:
    """The sets that are stored."""

    def __init__(self, folder: Path, blobs: BlobStore) -> None:
        self._folder = folder
        self._blobs = blobs

    @classmethod
    def of(cls, settings: Settings) -> "ImageSets":
        """Open the sets of the settings."""
        return cls(settings.data_dir / FOLDER, BlobStore.of(settings))

    def put(
        self,
        name: str,
        card: DataSetCard,
        manifest: ImageSetManifest,
        contents: Iterable[bytes],
        at: float,
    ) -> StoredImageSet:
        """Store a version; where it is there already, nothing changes.

        Args:
            name: of the set.
            card: must be that of an accepted set.
            manifest: of the same set.
            contents: clean images in any order.
            at: seconds since 1970 UTC.

        Raises:
            InputError: the name is not allowed.
            ImageSetRefused: the set was refused, or an image of the manifest is missing.
        """
        path = self._path(name, card.digest)
        if not card.accepted:
            what = "a refused set is not stored"
            raise ImageSetRefused(what, "set_refused", "Mend what the report names.")
        if path.exists():
            return StoredImageSet.model_validate_json(path.read_bytes())
        stored = {self._blobs.put(content) for content in contents}
        if {image.digest for image in manifest.images} - stored:
            what = "images of the manifest are missing"
            raise ImageSetRefused(what, "set_incomplete", "Check the set again.")
        self._blobs.put(manifest_bytes(manifest))
        bare = card.model_copy(update={"findings": ()})
        version = StoredImageSet(name=name, digest=card.digest, stored_at=at, card=bare)
        write_durably(path, version.model_dump_json(indent=1).encode())
        return version

    def _path(self, name: str, digest: str) -> Path:
        return self._folder / checked_name(name) / f"{digest}.json"

    def names(self) -> list[str]:
        """Return the names of the sets, sorted."""
        return sorted({path.parent.name for path in self._folder.glob("*/[0-9a-f]*.json")})

    def versions(self, name: str) -> list[StoredImageSet]:
        """Return the versions of a set, the newest last."""
        paths = (self._folder / checked_name(name)).glob("[0-9a-f]*.json")
        found = [StoredImageSet.model_validate_json(path.read_bytes()) for path in paths]
        return sorted(found, key=lambda one: (one.stored_at, one.digest))

    def manifest(self, name: str, digest: str = "") -> ImageSetManifest:
        """Return the manifest of a version, of the newest where none is named.

        Raises:
            NotFound: there is no such set or version.
            IntegrityError: its bytes have changed.
        """
        known = [one.digest for one in self.versions(name)]
        if not known or (digest and digest not in known):
            what = f"there is no set of images {name}" + (f" {digest}" if digest else "")
            raise NotFound(what, remedy=f"There are: {', '.join(self.names()) or 'none'}.")
        return ImageSetManifest.model_validate_json(self._blobs.get(digest or known[-1]))

    def image(self, image: StoredImage) -> bytes:
        """Return a clean image, checked against its digest."""
        return self._blobs.get(image.digest)
