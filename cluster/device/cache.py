"""Keeps models on a device: the last list, files, pins, a limit, and what goes when it is reached.

Several processes may use one cache. What is noted is read and written under one lock; a model in
use is held by a shared lock on its ``bundle.json``, and what is held is not removed. The model that
was used longest ago goes first; a pinned one never goes to make room, only when it is withdrawn.
"""

import fcntl
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from cluster.clock import Clock
from cluster.contracts.image_models import Bundle, BundleFile, ModelList, VariantName
from cluster.device.files import Files, Wanted, room_told
from cluster.device.source import LIST_NAME, name_of_answer
from cluster.errors import IntegrityError, NoSpace, StoreUnavailable
from cluster.models.bundle import BUNDLE_BYTES_MAX
from cluster.storage.files import write_durably

LIMIT_MIB: Final = 512
MIB: Final = 1 << 20
STATE_NAME: Final = "state.json"
ANSWERS_MAX: Final = 500
"""Answers that are kept; they are small, and the oldest go first."""
DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Kept(BaseModel):
    """What is noted of one version."""

    model_config = ConfigDict(frozen=True)

    pinned: bool = False
    used_at: float = 0.0
    """Seconds since 1970 UTC."""
    checked: tuple[VariantName, ...] = ()
    """Files that gave here what they gave where they were made."""


class Noted(BaseModel):
    """What a cache knows beside its files."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    limit_mib: int = LIMIT_MIB
    source: str = ""
    """Where the list came from."""
    etag: str = ""
    listed_at: float = 0.0
    """When the list was last known to be the newest one."""
    versions: dict[str, Kept] = {}


@dataclass(frozen=True)
class CachedModel:
    """One version that lies here."""

    version: str
    bundle: Bundle
    variants: tuple[VariantName, ...]
    bytes: int
    """Of its files, those that other versions share counted too."""
    pinned: bool
    used_at: float


class Cache:
    """A folder of models."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Open or make the folder.

        Raises:
            NoSpace: there is no room for it.
        """
        with room_told("the cache cannot be made"):
            self.files = Files(folder / "files")
            (folder / "answers").mkdir(exist_ok=True)
        self.folder = folder
        self._clock = clock

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def noted(self) -> Noted:
        """Return what is noted; of a damaged note, nothing, for all of it can be made anew."""
        try:
            return Noted.model_validate_json((self.folder / STATE_NAME).read_bytes())
        except (FileNotFoundError, ValidationError):
            return Noted()

    def _note(self, **changes: object) -> None:
        noted = self.noted().model_copy(update=changes)
        content = noted.model_dump_json(indent=1).encode()
        with room_told("the cache could not take a note"):
            write_durably(self.folder / STATE_NAME, content)

    def _note_version(self, version: str, **changes: object) -> None:
        versions = self.noted().versions
        kept = versions.get(version, Kept()).model_copy(update=changes)
        self._note(versions={**versions, version: kept})

    def keep_list(self, content: bytes, source: str, etag: str) -> list[CachedModel]:
        """Keep a new list, and drop what it withdraws; return what was dropped.

        A version that another command is using right now goes at the next list.

        Raises:
            ValidationError: it is no list.
            NoSpace: the disk is full.
        """
        models = ModelList.model_validate_json(content)
        withdrawn = {one.version for one in models.models if one.state in {"retired", "refused"}}
        with self._locked():
            gone = [one for one in self._models() if one.version in withdrawn]
            gone = [one for one in gone if self._drop(one)]
            with room_told("the list could not be kept"):
                write_durably(self.folder / LIST_NAME, content)
            self._note(source=source, etag=etag, listed_at=self._clock.now())
        return gone

    def confirm_list(self) -> None:
        """Note that the list is still the newest one."""
        with self._locked():
            self._note(listed_at=self._clock.now())

    def last_list(self) -> ModelList | None:
        """Return the list that was kept; None where there is none, or it is damaged."""
        try:
            return ModelList.model_validate_json((self.folder / LIST_NAME).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def keep_answer(self, disease_id: str, content: bytes) -> None:
        """Keep an answer for times without a connection."""
        folder = self.folder / "answers"
        with self._locked(), room_told("the answer could not be kept"):
            write_durably(folder / name_of_answer(disease_id), content)
            kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for path in kept[:-ANSWERS_MAX]:
                path.unlink(missing_ok=True)

    def answer(self, disease_id: str) -> tuple[bytes, float] | None:
        """Return an answer that was kept, with when it was; None where there is none."""
        path = self.folder / "answers" / name_of_answer(disease_id)
        try:
            return path.read_bytes(), path.stat().st_mtime
        except FileNotFoundError:
            return None

    @contextmanager
    def hold(self, version: str) -> Iterator[Bundle]:
        """Keep a version whose ``bundle.json`` lies here from being removed meanwhile.

        Raises:
            StoreUnavailable: another process removed it just now.
        """
        with ExitStack() as stack:
            with self._locked():
                bundle = self.bundle(version)
                if bundle is None:
                    what = f"version {version[:16]} was removed by another command"
                    raise StoreUnavailable(what, str(self.folder), "Try again.")
                stream = stack.enter_context((self.files.folder / version).open("rb"))
                fcntl.flock(stream, fcntl.LOCK_SH)
                self._note_version(version, used_at=self._clock.now())
            yield bundle

    def bundle(self, version: str) -> Bundle | None:
        """Return the bundle of a version; None where it does not lie here.

        Raises:
            IntegrityError: its content is right by its digest and no bundle.
        """
        content = self.files.read(version)
        if content is None:
            return None
        try:
            return Bundle.model_validate_json(content)
        except ValidationError:
            what = f"version {version[:16]} cannot be read by this release"
            raise IntegrityError(what, remedy="Use a newer release of Dazzle.") from None

    def make_room(self, version: str, wanted: Iterable[Wanted]) -> list[CachedModel]:
        """Remove what is needed least until some files fit; return the models among it.

        Where nothing is missing, nothing is removed, whatever the limit. What was cut and not
        asked for again goes first, then the model that was used longest ago.

        Raises:
            NoSpace: they do not fit, even so.
        """
        files = list(wanted)
        with self._locked():
            missing = sum(self.files.missing_bytes(one) for one in files)
            limit = self.noted().limit_mib * MIB
            gone: list[CachedModel] = []

            def fits() -> bool:
                return missing == 0 or self.files.size() + missing <= limit

            if fits():
                return gone
            for digest in self.files.parts():
                if digest not in {one.digest for one in files} and not fits():
                    self.files.remove_part(digest)
            for one in sorted(self._models(), key=lambda one: one.used_at):
                if fits():
                    return gone
                if one.version != version and not one.pinned and self._drop(one):
                    gone.append(one)
            if not fits():
                what = f"{missing / MIB:.1f} MiB do not fit into the cache of {limit // MIB} MiB"
                remedy = "Raise the limit (cache --limit-mib N), unpin a model, or drop one."
                raise NoSpace(what, str(self.folder), remedy)
            return gone

    def set_limit(self, mib: int) -> None:
        """Change the limit; it holds from the next download on."""
        with self._locked():
            self._note(limit_mib=mib)

    def set_pinned(self, version: str, *, pinned: bool) -> None:
        """Keep a version whatever the limit, or no longer."""
        with self._locked():
            self._note_version(version, pinned=pinned)

    def set_checked(self, version: str, variant: VariantName) -> None:
        """Note that a file gives here what it should."""
        with self._locked():
            checked = self.noted().versions.get(version, Kept()).checked
            self._note_version(version, checked=tuple(sorted({*checked, variant})))

    def drop(self, version: str) -> bool:
        """Remove a version; say whether it is gone, which it is not while it is in use."""
        with self._locked():
            found = [one for one in self._models() if one.version == version]
            return all(self._drop(one) for one in found)

    def models(self) -> list[CachedModel]:
        """Return what lies here, used last first."""
        with self._locked():
            return sorted(self._models(), key=lambda one: -one.used_at)

    def _models(self) -> list[CachedModel]:
        noted, found = self.noted(), []
        for path in sorted(self.files.folder.iterdir()):
            if not DIGEST.fullmatch(path.name) or path.stat().st_size > BUNDLE_BYTES_MAX:
                continue
            with path.open("rb") as stream:
                if stream.read(1) != b"{":
                    continue
            with suppress(IntegrityError):
                bundle = self.bundle(path.name)
                if bundle is not None:
                    found.append(self._cached(path.name, bundle, noted))
        return found

    def _cached(self, version: str, bundle: Bundle, noted: Noted) -> CachedModel:
        here = [one for one in bundle.files if self.files.has(one.sha256)]
        kept = noted.versions.get(version, Kept())
        return CachedModel(
            version=version,
            bundle=bundle,
            variants=tuple(one.name for one in bundle.variants if self.files.has(one.sha256)),
            bytes=sum(one.size for one in here) + (self.files.folder / version).stat().st_size,
            pinned=kept.pinned,
            used_at=kept.used_at,
        )

    def _drop(self, model: CachedModel) -> bool:
        """Remove the files that no other version needs, unless the version is in use."""
        with (self.files.folder / model.version).open("rb") as stream:
            if not _free(stream):
                return False
            others = [one for one in self._models() if one.version != model.version]
            needed = {file.sha256 for one in others for file in one.bundle.files}
            for file in model.bundle.files:
                if file.sha256 not in needed:
                    self.files.remove(file.sha256)
            self.files.remove(model.version)
        versions = {
            key: kept for key, kept in self.noted().versions.items() if key != model.version
        }
        self._note(versions=versions)
        return True


def _free(stream: BinaryIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def files_of(bundle: Bundle, variant: VariantName) -> list[BundleFile]:
    """Return the files that recognition by a variant needs: its own, and the golden images.

    Raises:
        IntegrityError: the bundle has no such variant, or a part of it is not among its files.
    """
    chosen = bundle.variant(variant)
    if chosen is None:
        names = ", ".join(one.name for one in bundle.variants)
        what = f"{bundle.name} has no {variant} file"
        raise IntegrityError(what, remedy=f"It has: {names}.")
    by_digest = {one.sha256: one for one in bundle.files}
    digests = [chosen.sha256, *(one.sha256 for one in bundle.golden)]
    if not set(digests) <= set(by_digest):
        what = f"the bundle of {bundle.name} names a file that it does not list"
        raise IntegrityError(what)
    return [by_digest[digest] for digest in dict.fromkeys(digests)]
