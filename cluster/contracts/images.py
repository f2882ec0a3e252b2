"""What is said about an uploaded set of images, and what is kept of it (C1)."""

from collections import Counter
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

Split = Literal["training", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("training", "validation", "test")
ImageLevel = Literal["refused", "left_out", "warning", "note"]


class ImageFinding(BaseModel):
    """One thing that the check has to say about a set, a class or a file."""

    model_config = ConfigDict(frozen=True)

    level: ImageLevel
    """refused: nothing of the set is taken; left_out: this file is not; the others inform."""
    code: str
    place: str = ""
    """Name of a class or file inside the set, safe to print; empty for the set itself."""
    message: str
    remedy: str = ""
    others: tuple[str, ...] = ()
    """The files on the other side of a finding about several."""


class ClassCounts(BaseModel):
    """How many images a class brought and how many are left, in each part."""

    model_config = ConfigDict(frozen=True)

    name: str
    files: int
    training: int
    validation: int
    test: int

    @property
    def kept(self) -> int:
        """The images of the class that are taken."""
        return self.training + self.validation + self.test


class DataSetCard(BaseModel):
    """The report on a set: counts first, then every finding."""

    model_config = ConfigDict(frozen=True)

    accepted: bool
    digest: str = ""
    """SHA-256 of the manifest: of classes, pixels and splits, whatever the order and file names."""
    classes: tuple[ClassCounts, ...] = ()
    files: int = 0
    """Files with the suffix of an image, in folders of classes or elsewhere."""
    bytes_read: int = 0
    bytes_kept: int = 0
    formats: dict[str, int] = {}
    """Readable images by format."""
    sides: dict[str, int] = {}
    """Readable images by width x height in pixels as they came, upright."""
    cleaned: dict[str, int] = {}
    """Kept images by what was removed or changed, such as ``exif`` or ``resized``."""
    split_by: Literal["person", "near-duplicates"] = "near-duplicates"
    persons: int = 0
    """People whom a table in the set names; their ids are not kept."""
    groups: int = 0
    """Groups of images that stay in one split."""
    texts: dict[str, str] = {}
    """Licence, attribution and description, as far as files of the set give them."""
    encoding: str = ""
    findings: tuple[ImageFinding, ...] = ()
    codes: dict[str, int] = {}
    """Findings by code, also of those that are not listed one by one."""

    @property
    def kept(self) -> int:
        """The images that are taken."""
        return sum(one.kept for one in self.classes)


class StoredImage(BaseModel):
    """One cleaned image: no file name and no person's id is kept."""

    model_config = ConfigDict(frozen=True)

    digest: str
    """SHA-256 of the stored file, which is its name in the blob store."""
    label: str
    """The class."""
    split: Split
    group: int
    """Images with the same number are of one person or near-duplicates."""
    width: int
    height: int
    media_type: Literal["image/jpeg", "image/png"]
    size: int
    """Bytes."""


class ImageSetManifest(BaseModel):
    """The images of one version of a set, sorted by class and digest."""

    model_config = ConfigDict(frozen=True)

    form: Literal[1] = 1
    encoding: str
    labels: tuple[str, ...]
    images: tuple[StoredImage, ...]


class StoredImageSet(BaseModel):
    """One version of a named set as the store lists it."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str
    """Of the manifest, which lies in the blob store."""
    stored_at: float
    """Seconds since 1970 UTC."""
    card: DataSetCard
    """Without the list of findings, for these have the names of files."""


def by_code(findings: list[ImageFinding]) -> dict[str, int]:
    """Count findings by code."""
    return dict(sorted(Counter(finding.code for finding in findings).items()))
