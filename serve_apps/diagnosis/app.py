"""The diagnosis application on Ray Serve."""

import asyncio
from typing import cast

from ray.exceptions import RayActorError

from actors.options import REGISTRY, SUPERVISOR
from actors.registry import RegistryService
from actors.registry_calls import ask_registry
from cluster.contracts.image_models import ListedModel
from cluster.errors import StoreUnavailable
from cluster.settings import Settings
from serve_apps.diagnosis.api import PREFIX, routes
from serve_apps.diagnosis.ports import CasesPort, RegistryPort
from serve_apps.diagnosis.ray_jobs import RayJobs
from serve_apps.http.remote import Remote
from serve_apps.http.serving import placed


class Cluster:
    """The cluster as the diagnosis application sees it."""

    def __init__(self, settings: Settings) -> None:
        """Find the registry's actor."""
        self.settings = settings
        self.training = RayJobs(settings)
        self.registry = cast(RegistryPort, Remote(REGISTRY))
        self.cases = cast(CasesPort, Remote(SUPERVISOR))

    async def publish_pending(self, bundle_json: bytes, by: str) -> ListedModel:
        """List a bundle; see ``DiagnosisPorts``."""
        publish = RegistryService.publish_images
        try:
            return await asyncio.to_thread(
                ask_registry, self.settings, publish, bundle_json, by, pending=True
            )
        except RayActorError:
            what = f"{REGISTRY} does not answer"
            raise StoreUnavailable(what, remedy="It is started again; try later.") from None


app = placed("diagnosis", Cluster, routes, PREFIX)
