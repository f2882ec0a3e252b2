"""A device: what it asks of the source, what of its cache, and what it says about either (C4–C8).

The list is asked for anew each time; where the source cannot be reached, what lies in the cache is
used, and how old the list is is told. Versions that the list withdraws are dropped and not used;
nor is a newer version than the one that serves, for an operator may have rolled back from it.
What the network says of rare cases is never kept: it is told as it is now, or not at all.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from cluster.clock import Clock
from cluster.contracts.disease import DiseaseAnswer
from cluster.contracts.image_models import Bundle, ListedModel, ModelList, VariantName
from cluster.contracts.related import NetworkCases
from cluster.device.cache import Cache, CachedModel, files_of
from cluster.device.choose import variant_of, version_named
from cluster.device.files import Wanted
from cluster.device.recognise import Recogniser
from cluster.device.source import Source
from cluster.errors import DazzleError, IntegrityError, Unreachable
from cluster.models.bundle import BUNDLE_BYTES_MAX

Progress = Callable[[str, int, int], None]
"""Is told the step, and how much of how much is done."""
NOTHING_LISTED: Final = "Connect once, so that the list is kept."
CASES_ASKED: Final = 5
"""Rare cases that each platform is asked to name."""


@dataclass(frozen=True)
class Listing:
    """The list that counts now."""

    models: ModelList
    listed_at: float
    """When it was last known to be the newest, seconds since 1970 UTC."""
    fresh: bool
    """Whether the source was reached just now."""
    problem: str
    """Why it was not; empty where it was."""
    dropped: tuple[CachedModel, ...]
    """What it withdrew, and was removed from the cache."""


@dataclass(frozen=True)
class Fetched:
    """A model that lies in the cache and may be used."""

    listed: ListedModel
    bundle: Bundle
    variant: VariantName
    bytes_downloaded: int
    """0 where all of it was cached."""
    evicted: tuple[CachedModel, ...]
    instead: ListedModel | None
    """The version that was asked for, where it could not be had and this one is used."""


@dataclass(frozen=True)
class Answered:
    """Y, and where it is from."""

    answer: DiseaseAnswer
    kept_at: float | None
    """When it was kept, seconds since 1970 UTC; None where the source gave it just now."""


def no_progress(step: str, done: int, total: int) -> None:
    """Tell nobody."""


class Device:
    """A cache, and the source that fills it."""

    def __init__(
        self, cache: Cache, source: Source, clock: Clock, progress: Progress = no_progress
    ) -> None:
        self.cache = cache
        self.source = source
        self._clock = clock
        self._progress = progress
        self._listing: Listing | None = None

    def listing(self) -> Listing:
        """Return the list L, asked for once; the kept one where the source cannot be reached.

        Raises:
            Unreachable: it cannot, and none is kept from it.
            PolicyRefusal: the server wants a token.
            NoSpace: the disk is full.
        """
        if self._listing is None:
            self._listing = self._asked()
        return self._listing

    def _asked(self) -> Listing:
        noted = self.cache.noted()
        kept = self.cache.last_list() if noted.source == self.source.place else None
        try:
            read = self.source.models(noted.etag if kept is not None else "")
            if read is None and kept is not None:
                self.cache.confirm_list()
                return Listing(kept, self._clock.now(), True, "", ())
            if read is None:
                what = "the server says that the list is unchanged, and none is kept"
                raise Unreachable(what, self.source.place)
            try:
                gone = self.cache.keep_list(read.content, self.source.place, read.etag)
                models = ModelList.model_validate_json(read.content)
            except ValidationError:
                what = "what comes is no list of models that this release can read"
                raise Unreachable(what, self.source.place) from None
            return Listing(models, self._clock.now(), True, "", tuple(gone))
        except Unreachable as error:
            if kept is None:
                remedy = error.remedy or NOTHING_LISTED
                raise Unreachable(error.what, error.where, remedy) from None
            return Listing(kept, noted.listed_at, False, error.what, ())

    @contextmanager
    def model(self, wanted: str, variant: VariantName) -> Iterator[Fetched]:
        """Have a model in the cache, and keep it from being removed meanwhile (C5).

        Where the version that serves cannot be had, an earlier published one that is cached is.

        Args:
            wanted: ``NAME``, or ``NAME@NUMBER``.
            variant: the file of it; the reference, where a model has no other.

        Raises:
            NotFound: the list has no such model, or the source no such file.
            Unreachable: it is not cached, and cannot be fetched.
            IntegrityError: what is fetched is not what the list says.
            NoSpace: it does not fit.
        """
        models = self.listing().models
        listed = version_named(models, wanted)
        variant = variant_of(listed, variant)
        try:
            with self._held(listed, variant, None) as fetched:
                yield fetched
            return
        except _NotHad as error:
            other = self._cached_instead(models, listed, variant)
            if other is None:
                raise error.cause from None
        with self._held(other, variant, listed) as fetched:
            yield fetched

    @contextmanager
    def _held(
        self, listed: ListedModel, variant: VariantName, instead: ListedModel | None
    ) -> Iterator[Fetched]:
        try:
            downloaded = self._fetch([Wanted(listed.version, BUNDLE_BYTES_MAX, exact=False)])
        except Unreachable as error:
            raise _NotHad(error) from None
        with self.cache.hold(listed.version) as bundle:
            if bundle.name != listed.name:
                what = f"the list calls it {listed.name}, its bundle {bundle.name}"
                raise IntegrityError(what, self.source.place)
            files = [Wanted(one.sha256, one.size) for one in files_of(bundle, variant)]
            gone = self.cache.make_room(listed.version, files)
            try:
                downloaded += self._fetch(files)
            except Unreachable as error:
                raise _NotHad(error) from None
            yield Fetched(listed, bundle, variant, downloaded, tuple(gone), instead)

    def _fetch(self, files: list[Wanted]) -> int:
        """Fetch what is not there, or no longer what it was; return the bytes of it."""
        missing = [one for one in files if self.cache.files.read(one.digest) is None]
        total = sum(one.size for one in missing if one.exact)
        done = 0
        for one in missing:

            def tell(here: int, before: int = done) -> None:
                if total:
                    self._progress("download", before + here, total)

            self.cache.files.fetch(one, self.source, tell)
            done += (self.cache.files.folder / one.digest).stat().st_size
        return done

    def _cached_instead(
        self, models: ModelList, listed: ListedModel, variant: VariantName
    ) -> ListedModel | None:
        here = {one.version: one for one in self.cache.models()}
        found = [
            one
            for one in models.models
            if (one.name, one.state) == (listed.name, "published")
            and one.number < listed.number
            and one.version in here
            and self._is_whole(here[one.version], variant)
        ]
        return max(found, key=lambda one: one.number, default=None)

    def _is_whole(self, cached: CachedModel, variant: VariantName) -> bool:
        if variant not in cached.variants:
            return False
        files = files_of(cached.bundle, variant)
        return all(self.cache.files.read(one.sha256) is not None for one in files)

    def recogniser(self, fetched: Fetched, threads: int = 0) -> Recogniser:
        """Open a model; at the first time here, compare what it gives with what it should (C3).

        Args:
            fetched: as ``model`` gave it.
            threads: of onnxruntime; 0 for as many as there are cores.

        Raises:
            IntegrityError: a file is damaged, or gives something else on this device.
        """
        bundle, version, variant = fetched.bundle, fetched.listed.version, fetched.variant
        chosen = bundle.variant(variant)
        content = self.cache.files.read(chosen.sha256) if chosen else None
        if chosen is None or content is None:
            what = f"the {variant} file of {bundle.name} is damaged"
            raise IntegrityError(what, str(self.cache.folder), "Fetch it again.")
        made = Recogniser(bundle, version, chosen, content, threads)
        kept = self.cache.noted().versions.get(version)
        if kept is None or variant not in kept.checked:
            for golden in bundle.golden:
                made.check_golden(golden, self.cache.files.read(golden.sha256) or b"")
            self.cache.set_checked(version, variant)
        return made

    def answer(self, disease_id: str) -> Answered:
        """Return Y for a disease; only its id is sent (C8).

        Raises:
            InputError: this is no id.
            NotFound: the source knows nothing of it.
            Unreachable: it cannot be asked, and no answer is kept.
            IntegrityError: what came is no answer, or one about another disease.
        """
        try:
            content = self.source.answer(disease_id)
        except Unreachable:
            kept = self.cache.answer(disease_id)
            if kept is None:
                raise
            return Answered(_answer_of(kept[0], disease_id), kept[1])
        answer = _answer_of(content, disease_id)
        self.cache.keep_answer(disease_id, content)
        return Answered(answer, None)

    def rare_cases(self, disease_id: str, platform: str) -> NetworkCases:
        """Return the rare cases of a disease that a platform's network has, asked just now (C8).

        The server asks the platforms that this one has an agreement with: each learns that it looks
        for the disease. It may take half a minute. Any error means that it is not known whether
        there are cases.

        Raises:
            InputError: one of them is no id.
            NotFound: the server knows no such platform or disease, or has no network, or the token
                is another platform's.
            PolicyRefusal: the token is not good, or its role may not ask.
            Unreachable: it cannot be asked now, or is a folder.
            IntegrityError: what came is no such list, contradicts itself, or is of another disease.
        """
        return _cases_of(self.source.rare_cases(disease_id, platform, CASES_ASKED), disease_id)


class _NotHad(Exception):
    """A version is neither cached nor to be fetched."""

    def __init__(self, cause: DazzleError) -> None:
        super().__init__(cause)
        self.cause = cause


def _answer_of(content: bytes, disease_id: str) -> DiseaseAnswer:
    try:
        answer = DiseaseAnswer.model_validate_json(content)
    except ValidationError:
        what = f"what comes for {disease_id} is no answer that this release can read"
        raise IntegrityError(what) from None
    if answer.disease_id != disease_id:
        what = f"what comes for {disease_id} is about {answer.disease_id[:60]!r}"
        raise IntegrityError(what, remedy="Tell who runs the server.")
    return answer


def _cases_of(content: bytes, disease_id: str) -> NetworkCases:
    try:
        cases = NetworkCases.model_validate_json(content)
    except ValidationError:
        what = f"what comes for {disease_id} is no list of cases that this release can read"
        raise IntegrityError(what) from None
    asked = cases.question
    if disease_id not in (asked.disease_id, *asked.codes):
        what = f"the cases that come for {disease_id} are of {asked.disease_id[:60]!r}"
        raise IntegrityError(what, remedy="Tell who runs the server.")
    if any(one.rare < len(one.items) for one in cases.found.values()):
        what = f"of {disease_id} more cases come than are counted"
        raise IntegrityError(what, remedy="Tell who runs the server.")
    return cases


def day(instant: float) -> str:
    """Write an instant as people read it, in UTC."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M UTC")
