"""The diagnosis application in this process, with real services."""

from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.registry import RegistryService
from cluster.contracts.image_models import ListedModel
from cluster.models.bundle import bundle_bytes
from cluster.settings import Settings
from serve_apps.diagnosis.api import PREFIX, routes
from serve_apps.diagnosis.ray_jobs import RayJobs
from serve_apps.http.application import application
from tests import device_builders
from tests.http_builders import Local, LocalCluster

PNEUMONIA = "DOID:552"
"""A record of the demo table."""


class DiagnosisCluster(LocalCluster):
    """Services of one data folder, with its registry."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.registry_service = RegistryService(settings)
        self.registry: Any = Local(self.registry_service)
        self.training = RayJobs(settings)

    def close(self) -> None:
        self.registry_service.close()
        super().close()

    async def publish_pending(self, bundle_json: bytes, by: str) -> ListedModel:
        return self.registry_service.publish_images(bundle_json, by, pending=True)

    def app(self) -> ASGIApp:
        return application("diagnosis", routes(self), self.entrance(), PREFIX)

    def publish_colours(self, name: str = "colours", padding: int = 0) -> ListedModel:
        """List a model that really recognises; its class ``red`` stands for a disease."""
        bundle, files = device_builders.a_bundle(name, padding)
        labels = [
            one.model_copy(
                update={"disease_id": PNEUMONIA if one.label == "red" else "", "disease_name": ""}
            )
            for one in bundle.labels
        ]
        for content in files.values():
            self.registry_service._blobs.put(content)
        bundle = bundle.model_copy(update={"labels": tuple(labels)})
        return self.registry_service.publish_images(bundle_bytes(bundle), "test")


def files_of(folder: Path) -> set[str]:
    """Names of the files below a data folder, but for the demo table that a question makes."""
    found = (one.relative_to(folder) for one in folder.rglob("*") if one.is_file())
    return {str(one) for one in found if one.parts[0] != "diseases"}


class Cutting:
    """Stands before an application, and ends the connection within the body of some answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.cuts: list[int] = []
        """Bytes after which the next bodies of files end."""
        self.asked: list[tuple[str, str]] = []
        """Path and Range of each request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        self.asked.append((scope["path"], headers.get(b"range", b"").decode()))
        left = self.cuts.pop(0) if self.cuts and "/files/" in scope["path"] else None

        async def sent(message: Message) -> None:
            nonlocal left
            if left is not None and message["type"] == "http.response.body":
                body = message["body"]
                if len(body) >= left:
                    cut = {"type": "http.response.body", "body": body[:left], "more_body": True}
                    await send(cut)
                    raise ConnectionAbortedError
                left -= len(body)
            await send(message)

        await self._app(scope, receive, sent)
