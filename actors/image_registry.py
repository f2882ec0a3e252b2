"""The part of the registry that keeps image models: upload, acceptance, list L (C4, C9, C11)."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from cluster.clock import SystemClock
from cluster.contracts.image_models import (
    Bundle,
    BundleFile,
    ListedModel,
    ModelList,
    State,
)
from cluster.contracts.registry import Action, ModelChange, Registered
from cluster.errors import IntegrityError, ModelRefused, NotFound, StoreUnavailable
from cluster.flow.diseases import DiseaseDatabase
from cluster.flow.image_models import answers_for, names_of_diseases, of_disease
from cluster.ids import sha256
from cluster.models import image_list
from cluster.models.bundle import Problem, document_problems, file_problems, read_bundle, refuse
from cluster.models.cards import IMAGE_MODEL
from cluster.models.fitness import reasons_to_wait
from cluster.models.listing import image_model_row
from cluster.settings import Settings
from cluster.storage import registry
from cluster.storage.blobs import BlobStore
from cluster.storage.ledger import Ledger
from cluster.storage.public_list import PublicList
from cluster.storage.registry import Artefact

LOG: Final = logging.getLogger(__name__)
NOT_READABLE: Final = (NotFound, IntegrityError, ModelRefused)
"""What a stored version fails with that is missing, has changed, or is of an earlier release whose
bundles this one reads no more; it is not offered, and hinders no other."""


class ImageRegistry:
    """Image models in the registry's ledger, and the public folder that follows from it.

    Order of every change: blobs, then one transaction, then the folder. What a crash leaves out is
    made up for by the next change or start.
    """

    def __init__(self, settings: Settings, ledger: Ledger, blobs: BlobStore) -> None:
        """Take over the registry's stores."""
        self._settings = settings
        self._ledger = ledger
        self._blobs = blobs
        self._public = PublicList(settings.data_dir, blobs)

    def publish_images(self, bundle_json: bytes, by: str, *, pending: bool = False) -> ListedModel:
        """List a bundle whose files are in the blob store; the same one twice changes nothing.

        One that is not fit to serve waits too, and the list says why.

        Args:
            bundle_json: its ``bundle.json``.
            by: the job or person who hands it over.
            pending: whether it waits until an operator accepts it.

        Raises:
            ModelRefused: it is not whole, not true to itself, or bound to an unknown disease.
        """
        version = sha256(bundle_json)
        bundle = read_bundle(bundle_json)
        self._blobs.put(bundle_json)
        if not self._is_listed(version):
            refuse([*document_problems(bundle), *self._stored_problems(bundle)])
            names = names_of_diseases(bundle, self._diseases()) if _is_bound(bundle) else {}
            now = SystemClock().now()
            parent = self._newest(bundle.name)
            reasons = reasons_to_wait(bundle, self._serving(bundle.name))
            entry = image_list.entry_of(bundle, version, parent, names, now)
            change = ModelChange(
                name=bundle.name,
                version=version,
                action="pending" if pending or reasons else "published",
                at=now,
                by=by,
                reason="; ".join(reasons),
            )
            artefact = Artefact(version, IMAGE_MODEL, parent or None, entry.model_dump_json())
            with self._ledger.begin() as tx:
                registry.put_artefact(tx, artefact)
                registry.put_change(tx, change)
        self.show_images()
        return next(one for one in self._models().models if one.version == version)

    def accept_image(self, name: str, which: str, by: str, reason: str = "") -> ListedModel:
        """Publish a version that waits; it serves unless a newer one does.

        Args:
            name: of the model.
            which: its number, or the first eight or more characters of its version.
            by: the operator.
            reason: shown in its history.

        Raises:
            NotFound: there is no such version.
            Conflict: it was refused or retired.
        """
        return self._change("published", name, which, by, reason)

    def refuse_image(self, name: str, which: str, by: str, reason: str) -> ListedModel:
        """Say for good that a version that waits is not published; see ``accept_image``."""
        return self._change("refused", name, which, by, reason)

    def retire_image(self, name: str, which: str, by: str, reason: str) -> ListedModel:
        """Take a published version back for good; the newest earlier one serves, or none."""
        return self._change("retired", name, which, by, reason)

    def serve_image(self, name: str, which: str, by: str, reason: str = "") -> ListedModel:
        """Let another published version serve, an earlier one for example."""
        return self._change("served", name, which, by, reason)

    def _change(self, action: Action, name: str, which: str, by: str, reason: str) -> ListedModel:
        found = image_list.chosen(self._models(), name, which)
        if image_list.is_change(found, action):
            change = ModelChange(
                name=name,
                version=found.version,
                action=action,
                at=SystemClock().now(),
                by=by,
                reason=reason,
            )
            with self._ledger.begin() as tx:
                registry.put_change(tx, change)
        self.show_images()
        return image_list.chosen(self._models(), name, found.version)

    def model_list(
        self, disease: str = "", name: str = "", states: Sequence[State] = ("published",)
    ) -> ModelList:
        """Return the image models in the states that are asked for, oldest first.

        Args:
            disease: code, name or synonym of a disease that the models tell apart; empty for all.
            name: of the model; empty for all.
            states: those that count.

        Raises:
            InputError: ``disease`` names a vocabulary, with a colon, and is no code of it.
            StoreUnavailable: the disease database that is asked cannot be opened.
        """
        models = self._models()
        found = [one for one in models.models if one.state in states and name in {"", one.name}]
        if disease:
            found = of_disease(found, disease, self._diseases())
        return models.model_copy(update={"models": tuple(found)})

    def image_history(self) -> list[ModelChange]:
        """Return every change of image models, oldest first."""
        with self._ledger.begin() as tx:
            return registry.get_changes(tx)

    def image_model_rows(self) -> list[Registered]:
        """Return every version with its place, lineage and history, oldest first."""
        history = self.image_history()
        return [image_model_row(one, self._bundle(one), history) for one in self._models().models]

    def show_images(self) -> None:
        """Make the public folder what the ledger says; where it is so already, nothing changes.

        Raises:
            OSError: there is no room, or no right to write.
        """
        models = self._models()
        if not models.models and not self._public.folder.exists():
            return
        shown = [one for one in models.models if one.state == "published"]
        files, missing = self._files_of(shown)
        offered = image_list.public_part(models, missing)
        answers = self._answers([one for one in shown if one.version in files and one.diseases])
        self._public.write_answers(answers or {})
        self._public.write_list(offered)
        if answers is not None:
            self._public.keep_answers(answers)
        self._public.keep_files({one for sizes in files.values() for one in sizes})

    def repair_images(self) -> None:
        """Put the public folder right at the start; what hinders it does not stop the registry."""
        try:
            self.show_images()
        except OSError as error:
            LOG.warning("the public list of image models is not renewed: %s", error)

    def close(self) -> None:
        """Free the ledger, where the registry is used without a process of its own."""
        self._ledger.close()

    def _files_of(
        self, models: Sequence[ListedModel]
    ) -> tuple[dict[str, dict[str, int]], list[str]]:
        """Put the files of versions into the folder; returns their sizes, and who lacks some."""
        files, missing = dict[str, dict[str, int]](), list[str]()
        for one in models:
            try:
                content = self._blobs.get(one.version)
                sizes = {file.sha256: file.size for file in read_bundle(content).files}
                sizes[one.version] = len(content)
                self._public.add_files(sizes)
                files[one.version] = sizes
            except NOT_READABLE as error:
                LOG.warning("version %s of %s is not offered: %s", one.number, one.name, error)
                missing.append(one.version)
        return files, missing

    def _answers(self, models: Sequence[ListedModel]) -> dict[str, bytes] | None:
        """Return what is known of the models' diseases, by id; None where that cannot be asked."""
        try:
            return answers_for(models, self._diseases()) if models else {}
        except (StoreUnavailable, IntegrityError) as error:
            LOG.warning("answers of image models stay as they are: %s", error)
            return None

    def _bundle(self, model: ListedModel) -> Bundle | None:
        with suppress(*NOT_READABLE):
            return read_bundle(self._blobs.get(model.version))
        return None

    def _stored_problems(self, bundle: Bundle) -> Iterator[Problem]:
        """Check the files of a bundle one after the other, for they are large."""
        for file in bundle.files:
            yield from file_problems(file, self._stored(file))

    def _stored(self, file: BundleFile) -> bytes | None:
        try:
            return self._blobs.get(file.sha256)
        except NotFound:
            return None

    def _is_listed(self, version: str) -> bool:
        return any(one.version == version for one in self._models().models)

    def _newest(self, name: str) -> str:
        own = [one.version for one in self._models().models if one.name == name]
        return own[-1] if own else ""

    def _serving(self, name: str) -> Bundle | None:
        models = self._models().models
        found = next((one for one in models if one.name == name and one.serving), None)
        return None if found is None else self._bundle(found)

    def _models(self) -> ModelList:
        with self._ledger.begin() as tx:
            found = registry.get_artefacts(tx, IMAGE_MODEL)
            changes = registry.get_changes(tx)
        entries = (ListedModel.model_validate_json(one.card) for one in found)
        return image_list.list_of(entries, changes)

    def _diseases(self) -> DiseaseDatabase:
        return DiseaseDatabase.of(self._settings.data_dir)


def _is_bound(bundle: Bundle) -> bool:
    return any(label.disease_id for label in bundle.labels)
