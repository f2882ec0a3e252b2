"""A training run of an image model in its folder: what was asked for, and what came of it."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from cluster.contracts.image_models import BUNDLE_FILE, Bundle
from cluster.contracts.image_training import ImageFitConfig
from cluster.errors import Conflict, IntegrityError, ModelRefused
from cluster.models.bundle import bundle_bytes, read_bundle
from cluster.storage.blobs import BlobStore
from cluster.storage.files import write_durably

RUN: Final = "run.json"
CARD: Final = "card.json"
REPORT: Final = "report.html"
NAMES: Final = {
    "data_set_digest": "images",
    "weights": "starting weights",
    "weights_sha256": "starting weights",
    "bound": "diseases of the classes",
}
"""Of the fields of a run, as a person calls them."""


class ImageRun(BaseModel):
    """What a run is asked to do; the same run makes the same model on one machine."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Of the model."""
    data_set: str
    """Name of the set of images."""
    data_set_digest: str
    """SHA-256 of its manifest."""
    weights: str
    """Name of the starting weights."""
    weights_sha256: str
    config: ImageFitConfig
    bound: dict[str, tuple[str, str]]
    """Id and name of the disease of each class; both empty where it is none."""
    licence: str
    attribution: str
    changelog: str
    begun_at: float
    """Seconds since 1970 UTC."""
    asked_by: str = ""
    """Token that asked over HTTP; such a model waits until an operator accepts it."""


def open_run(folder: Path, run: ImageRun) -> ImageRun:
    """Return the run of a folder, which is begun where there is none.

    Raises:
        Conflict: the folder holds another run.
        IntegrityError: what is kept of it is damaged.
    """
    path = folder / RUN
    if not path.exists():
        write_durably(path, run.model_dump_json(indent=1).encode())
    try:
        kept = ImageRun.model_validate_json(path.read_bytes())
    except ValidationError:
        what = "the kept run is damaged, or of another version"
        raise IntegrityError(what, str(path), "Restore it, or delete the folder.") from None
    asked, told = _fields(run), _fields(kept)
    unlike = [name for name in asked if asked[name] != told[name]]
    if unlike:
        first = unlike[0]
        is_short = isinstance(told[first], int | float | str) and first not in NAMES
        values = f": {told[first]}, not {asked[first]}" if is_short else ""
        what = f"{folder} holds a training run with other {NAMES.get(first, first)}{values}"
        raise Conflict(what, RUN, "Give another --out, or delete this one to begin anew.")
    return kept


def keep_result(folder: Path, bundle: Bundle, page: str) -> bytes:
    """Write what came of a run, and return its ``bundle.json``, with which the run is finished."""
    content = bundle_bytes(bundle)
    write_durably(folder / REPORT, page.encode())
    write_durably(folder / CARD, bundle.card.model_dump_json(indent=1).encode())
    write_durably(folder / BUNDLE_FILE, content)
    return content


def read_result(folder: Path, blobs: BlobStore) -> Bundle | None:
    """Return what came of a run; None where it is not finished, or files of it are lost."""
    path = folder / BUNDLE_FILE
    if not path.is_file():
        return None
    try:
        bundle = read_bundle(path.read_bytes())
    except ModelRefused:
        return None  # it is damaged: the run gives it again
    return bundle if all(blobs.has(file.sha256) for file in bundle.files) else None


def _fields(run: ImageRun) -> dict[str, object]:
    """Return what a run asks for, with the fields of its configuration among the others."""
    fields = run.model_dump(mode="json", exclude={"begun_at", "data_set"})
    config: dict[str, object] = fields.pop("config")
    return fields | config
