"""Routes of image models: listing, handing over, accepting (C4, C9)."""

import asyncio
from pathlib import Path
from typing import Annotated, Final, Self

from fastapi import APIRouter, Body, Query, Request
from fastapi import Path as InPath
from pydantic import Field, model_validator

from cluster.clock import SystemClock
from cluster.contracts.diagnosis import Acceptance
from cluster.contracts.image_models import (
    NAME_PATTERN,
    ListedModel,
    ModelList,
    State,
    label_faults,
)
from cluster.contracts.message import Frozen
from cluster.errors import InputError
from cluster.flow.image_models import bind_labels, of_disease
from cluster.flow.model_upload import Upload, bundle_upload
from cluster.models.bundle import bundle_bytes
from cluster.models.onnx_form import InputRange
from cluster.settings import Settings
from cluster.storage.blobs import BlobStore
from cluster.storage.image_sets import ImageSets
from cluster.storage.model_checker import Claim, ModelLimits
from serve_apps.diagnosis.diseases import Diseases
from serve_apps.diagnosis.examples import ACCEPTANCE
from serve_apps.diagnosis.ports import DiagnosisPorts
from serve_apps.diagnosis.public import BYTES, PublicFolder
from serve_apps.diagnosis.uploads import ENDINGS, Uploads, upload_body
from serve_apps.http.guard import caller_of, is_of_the_whole
from serve_apps.http.problems import Refused

LABELS_MAX: Final = 1000
PUBLIC: Final[tuple[State, ...]] = ("published", "retired")
Name = Annotated[str, InPath(pattern=NAME_PATTERN)]


class ModelOrder(Frozen):
    """What is said of a trained model that is handed over."""

    labels: tuple[str, ...] = Field(
        min_length=2, max_length=LABELS_MAX, description="its classes, in the order of its output"
    )
    size: int = Field(ge=32, le=1024, description="pixels of a side that it takes")
    licence: str = Field(min_length=1, max_length=200, description="SPDX id, such as Apache-2.0")
    intended_use: str = Field(min_length=1, max_length=1000, description="for what, and for whom")
    summary: str = Field(min_length=1, max_length=500, description="what it tells apart")
    changelog: str = Field(min_length=1, max_length=500, description="what is new in it")
    range: InputRange | None = Field(
        None, description="of the numbers that it takes; 0-255 of an ONNX file if left out"
    )
    diseases: tuple[str, ...] = Field(
        (),
        description="code of the disease of each label, in the same order, empty for none; left "
        "out, each label is looked up by its name",
    )

    @model_validator(mode="after")
    def _has_a_disease_for_each_label(self) -> Self:
        if self.diseases and len(self.diseases) != len(self.labels):
            message = "diseases are as many as labels, or none"
            raise ValueError(message)
        return self


def add_image_models(
    made: APIRouter, ports: DiagnosisPorts, diseases: Diseases, uploads: Uploads
) -> None:
    """Add the routes of image models to those of the diagnosis application."""
    _add_listing(made, ports, diseases)
    body = upload_body(BYTES, ports.settings.model_mib_max)

    @made.put("/uploads/{name}", openapi_extra=body, responses=ENDINGS)
    async def upload(
        request: Request, name: Name, order: Annotated[ModelOrder, Query()]
    ) -> ListedModel:
        """Hand over a trained model: ONNX, or safetensors of InceptionV3; it waits (`pending`).

        It is read and run in a process that can do nothing else, and judged where a stored set of
        images has exactly its classes. The caller's token stands as who made it. What is said of it
        goes into the address, which has at most 4 KiB: for more classes see `jobs.upload_model`.
        """
        by = caller_of(request).name
        bound = await asyncio.to_thread(_bound, order, diseases)

        async def work(path: Path) -> ListedModel:
            claim = Claim(order.labels, order.size, order.range)
            told = (order.licence, order.intended_use, order.summary, order.changelog)
            model = Upload(path, claim, bound, name, by, *told)
            bundle = await asyncio.to_thread(_bundled, model, ports.settings)
            return await ports.publish_pending(bundle, by)

        return await uploads.take(request, BYTES, work)

    @made.post("/models/{name}/acceptance")
    async def decide(
        request: Request, name: Name, said: Annotated[Acceptance, Body(openapi_examples=ACCEPTANCE)]
    ) -> ListedModel:
        """Publish a version that waits, refuse it, or retire a published one; for good.

        The caller's token and the reason stand in its history.
        """
        change = {
            "accept": ports.registry.accept_image,
            "refuse": ports.registry.refuse_image,
            "retire": ports.registry.retire_image,
        }[said.decision]
        return await change(name, said.version, caller_of(request).name, said.reason)


def _add_listing(made: APIRouter, ports: DiagnosisPorts, diseases: Diseases) -> None:
    folder = PublicFolder(ports.settings.data_dir)

    @made.get("/models")
    async def list_models(
        request: Request,
        disease: Annotated[str, Query(max_length=200)] = "",
        label: str = "",
        name: str = "",
        state: State = "published",
    ) -> ModelList:
        """List versions of models, oldest first, by disease (code or name), class or name.

        `serving` marks the one that a client gets. What waits or was refused is for operators.
        """
        if state in PUBLIC:
            models = folder.models()
        elif is_of_the_whole(caller_of(request)):
            models = await ports.registry.model_list("", "", (state,))
        else:
            raise Refused(
                403, "only an operator of the whole cluster sees what waits or was refused"
            )
        found = [
            one
            for one in models.models
            if one.state == state and name in ("", one.name) and (not label or label in one.labels)
        ]
        if disease:
            found = await asyncio.to_thread(_of_disease, found, disease, diseases)
        return models.model_copy(update={"models": tuple(found)})


def _of_disease(models: list[ListedModel], disease: str, diseases: Diseases) -> list[ListedModel]:
    with diseases.asked("disease"):
        return of_disease(models, disease, diseases.serving())


def _bound(order: ModelOrder, diseases: Diseases) -> dict[str, tuple[str, str]]:
    """Return id and name of the disease of each class.

    Raises:
        InputError: a class or a code is not allowed or not known.
    """
    for fault in label_faults(order.labels):
        what = f"label {fault.at + 1}: the label {fault.reason}"
        raise InputError(what, "labels", "Name the class otherwise.")
    pairs = zip(order.labels, order.diseases, strict=False)  # none, where none is said
    return bind_labels(order.labels, diseases.serving(), dict(pairs))


def _bundled(model: Upload, settings: Settings) -> bytes:
    """Check a model, and return its ``bundle.json``; its files are in the blob store."""
    sets, limits = ImageSets.of(settings), ModelLimits.of(settings)
    bundle, files = bundle_upload(model, sets, limits, SystemClock().now())
    blobs = BlobStore.of(settings)
    for content in files.values():
        blobs.put(content)
    return bundle_bytes(bundle)
