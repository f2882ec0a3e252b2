"""The list L and its files over HTTP, exactly as the public folder has them (C4, C5, C8).

Names are those of the folder, so that a device asks a folder, any web server and this alike. What
is asked for is opened only if its name is one that the folder can have.
"""

import re
import stat
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

from cluster.contracts.image_models import Bundle, ModelList
from cluster.errors import NotFound
from cluster.ids import sha256
from cluster.models.bundle import DISEASE_ID, read_bundle
from cluster.storage.public_list import ANSWERS, FILES, FOLDER, MODELS, answer_name
from serve_apps.http.problems import Refused

DIGEST: Final = re.compile(r"[0-9a-f]{64}")
RANGE: Final = re.compile(r"bytes=(?=.*\d)(\d{0,15})-(\d{0,15})")
JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "public, no-cache"
MISSING: Final = "there is nothing here"


class PublicFolder:
    """The folder, open for reading; see ``cluster.storage.public_list``."""

    def __init__(self, data_dir: Path) -> None:
        """Remember where it is; it is there once a model was listed."""
        self._folder = data_dir / FOLDER

    def models(self) -> ModelList:
        """Return the list; an empty one before anything was listed."""
        try:
            return ModelList.model_validate_json((self._folder / MODELS).read_bytes())
        except FileNotFoundError:
            return ModelList(made_at=0.0, models=())

    def bundle(self, version: str) -> Bundle:
        """Return the bundle of a published version.

        Raises:
            NotFound: it was withdrawn just now.
        """
        return read_bundle(_content(self._folder / FILES / version))

    def list_bytes(self) -> bytes:
        """Return the list as it is.

        Raises:
            NotFound: nothing was ever listed.
        """
        return _content(self._folder / MODELS)

    def answer_bytes(self, name: str) -> bytes:
        """Return the file of an answer.

        Raises:
            NotFound: there is none of this name.
        """
        disease_id = name.removesuffix(".json").replace("_", ":", 1)
        if not DISEASE_ID.fullmatch(disease_id) or name != answer_name(disease_id):
            raise NotFound(MISSING)
        return _content(self._folder / ANSWERS / name)

    def file_path(self, digest: str) -> Path:
        """Return where a file lies that a bundle names, or a bundle.

        Raises:
            NotFound: there is none of this name.
        """
        path = self._folder / FILES / digest
        if not DIGEST.fullmatch(digest):
            raise NotFound(MISSING)
        try:
            is_file = stat.S_ISREG(path.lstat().st_mode)  # a link could lead elsewhere
        except FileNotFoundError:
            is_file = False
        if not is_file:
            raise NotFound(MISSING)
        return path


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(MISSING) from None


def add_public(made: APIRouter, folder: PublicFolder) -> None:
    """Add the routes of the public folder to those of the diagnosis application."""

    def list_models(request: Request) -> Response:
        """Get the list of models as devices read it; its ETag is its SHA-256."""
        return _small(request, folder.list_bytes())

    def get_file(request: Request, digest: str) -> Response:
        """Get a file by its SHA-256: a bundle, a model or a golden image; parts by Range."""
        return _large(request, folder.file_path(digest), digest)

    def get_answer(request: Request, name: str) -> Response:
        """Get what is known of a disease that a model tells apart, such as `MONDO_0005249.json`."""
        return _small(request, folder.answer_bytes(name))

    for path, answer, kind in (
        ("/models.json", list_models, JSON),
        ("/files/{digest}", get_file, BYTES),
        ("/answers/{name}", get_answer, JSON),
    ):
        told: dict[int | str, dict[str, Any]] = {
            200: {"content": {kind: {}}},
            304: {"description": "it is still the same"},
        }
        if kind == BYTES:
            told |= {206: {"description": "a part"}, 416: {"description": "no such part"}}
        made.get(path, response_class=Response, responses=told)(answer)
        made.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)(answer)


def _small(request: Request, content: bytes) -> Response:
    """Answer with a file that may change."""
    headers = {"ETag": f'"{sha256(content)}"', "Cache-Control": ASK_AGAIN}
    if _is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=JSON)  # the server leaves it out of a HEAD


def _large(request: Request, path: Path, digest: str) -> Response:
    """Answer with a file that never changes, or a part of it, from the disk.

    Raises:
        Refused: the part lies behind its end.
    """
    etag = f'"{digest}"'
    headers = {"ETag": etag, "Cache-Control": FOR_EVER}
    if _is_known(request, etag):
        return Response(status_code=304, headers=headers)
    found = path.stat()
    asked = RANGE.fullmatch(request.headers.get("range", "").strip())
    first, last = (asked[1], asked[2]) if asked else ("", "")
    start = int(first) if first else max(found.st_size - int(last or 0), 0)
    if asked is None or (first and last and int(last) < start):
        _forget_range(request)  # what is no range, or several, is answered with the whole
    elif start >= found.st_size and request.headers.get("if-range", etag) == etag:
        where = {"Content-Range": f"bytes */{found.st_size}"}
        raise Refused(416, "the part lies behind the end of the file", headers=where)
    return FileResponse(path, headers=headers, media_type=BYTES, stat_result=found)


def _is_known(request: Request, etag: str) -> bool:
    """Say whether the caller has this content; compared weakly, as RFC 9110 has it."""
    told = request.headers.get("if-none-match", "")
    return told.strip() == "*" or etag in {
        one.strip().removeprefix("W/") for one in told.split(",")
    }


def _forget_range(request: Request) -> None:
    scope = request.scope
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
