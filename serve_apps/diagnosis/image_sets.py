"""Routes of sets of images: checked as `jobs.check_images` does, and stored (C1)."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath

from cluster.clock import SystemClock
from cluster.contracts.diagnosis import ImageSetTaken, ImageSetVersion
from cluster.contracts.image_models import NAME_PATTERN
from cluster.contracts.images import DataSetCard, StoredImageSet
from cluster.errors import ImageSetRefused
from cluster.flow.image_check import Checking, open_check
from cluster.images.limits import Limits
from cluster.settings import Settings
from cluster.storage.decoders import Decoders
from cluster.storage.image_sets import ImageSets
from serve_apps.diagnosis.uploads import ENDINGS, Uploads, upload_body
from serve_apps.http.problems import problem

ZIP: Final = "application/zip"
Name = Annotated[str, InPath(pattern=NAME_PATTERN)]


def add_image_sets(made: APIRouter, settings: Settings, uploads: Uploads) -> None:
    """Add the routes of sets of images to those of the diagnosis application."""
    body = upload_body(ZIP, settings.image_set_mib_max)

    @made.put(
        "/image-sets/{name}", openapi_extra=body, response_model=ImageSetTaken, responses=ENDINGS
    )
    async def put_image_set(request: Request, name: Name) -> ImageSetTaken | Response:
        """Hand over a zip with a folder for each class; the clean set is a version of the name.

        The answer comes when every image was read. A set that is refused (422) leaves nothing;
        `report` in the problem has every finding. A report has names of files.
        """

        async def work(path: Path) -> tuple[DataSetCard, StoredImageSet | None]:
            return await asyncio.to_thread(_checked, path, name, settings, uploads.folder)

        card, stored = await uploads.take(request, ZIP, work)
        if stored is None:
            return _refusal(card)
        return ImageSetTaken(stored=_row(stored), report=card)

    @made.get("/image-sets")
    def list_image_sets() -> list[ImageSetVersion]:
        """List the stored sets, every version, the newest of a name last."""
        sets = ImageSets.of(settings)
        return [_row(one) for name in sets.names() for one in sets.versions(name)]


def _checked(
    path: Path, name: str, settings: Settings, scratch: Path
) -> tuple[DataSetCard, StoredImageSet | None]:
    limits = Limits.of(settings)
    with (
        Decoders(limits, settings.image_decoders) as decoders,
        open_check(path, Checking(limits, decoders, scratch, {}, _untold)) as found,
    ):
        if found.manifest is None or not found.card.accepted:
            return found.card, None
        at = SystemClock().now()
        sets = ImageSets.of(settings)
        return found.card, sets.put(name, found.card, found.manifest, found.contents(), at)


def _refusal(card: DataSetCard) -> Response:
    first = next(one for one in card.findings if one.level == "refused")
    return problem(
        422,
        ImageSetRefused.code,
        "the set is refused; its report has the reasons",
        where=first.code,
        remedy=first.remedy,
        report=card.model_dump(mode="json"),
    )


def _untold(step: str, done: int, total: int) -> None:
    """Tell nobody how far it is."""


def _row(stored: StoredImageSet) -> ImageSetVersion:
    return ImageSetVersion(
        name=stored.name,
        digest=stored.digest,
        stored_at=stored.stored_at,
        classes={one.name: one.kept for one in stored.card.classes},
        persons=stored.card.persons,
    )
