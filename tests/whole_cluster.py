"""All applications over the services of one data folder, in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from starlette.types import ASGIApp

from actors.platform import PlatformService
from cluster.authorisation.roles import RIGHTS, Role
from serve_apps.diagnosis.api import routes as diagnosis_routes
from serve_apps.diagnosis.ray_jobs import RayJobs
from serve_apps.http.application import application
from serve_apps.prediction.api import routes as prediction_routes
from serve_apps.share.api import routes as share_routes
from serve_apps.standards.api import routes as standards_routes
from tests.http_builders import Local
from tests.prediction_builders import PredictionCluster, a_first_model, another_model

APPLICATIONS: Final[dict[str, Callable[[Any], APIRouter]]] = {
    "share": share_routes,
    "prediction": prediction_routes,
    "diagnosis": diagnosis_routes,
    "standards": standards_routes,
}


class WholeCluster(PredictionCluster):
    """With two platforms, both trend models, and nothing else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.registry: Any = Local(self.registry_service)
        self.training = RayJobs(self.settings)
        for name in ("north", "south"):
            self.services[name] = PlatformService(name, self.settings)
        content, card = a_first_model()
        self.registry_service.publish(content, card)
        second, its_card = another_model("second", parent=card.version)
        self.registry_service.publish(second, its_card)

    async def publish_pending(self, bundle_json: bytes, by: str) -> Any:
        return self.registry_service.publish_images(bundle_json, by, pending=True)

    def apps(self) -> dict[str, ASGIApp]:
        entrance = self.entrance()
        return {
            name: application(name, made(self), entrance, f"/{name}")
            for name, made in APPLICATIONS.items()
        }

    def tokens(self, platform: str) -> dict[Role, str]:
        """A token of each role; the public has none."""
        known = [role for role in Role if role is not Role.PUBLIC]
        return {Role.PUBLIC: ""} | {role: self.token(role, platform) for role in known}


def table_rows() -> Iterator[tuple[str, str, str]]:
    """Rows of the role table: application, method and path."""
    for row in RIGHTS:
        method, path = row.split()
        first = path.split("/")[1]
        yield first if first in APPLICATIONS else "standards", method, path
