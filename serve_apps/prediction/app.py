"""The prediction application on Ray Serve."""

from functools import lru_cache
from typing import Any, cast

import torch
from ray import serve

from actors.options import TREND, platform_name
from cluster.clock import SystemClock
from cluster.ids import checked_platform_id
from cluster.settings import Settings, load_settings
from cluster.storage.blobs import BlobStore
from cluster.storage.tokens import TokenReader
from cluster.storage.trend_serving import TrendServing, TrendServingReader
from serve_apps.http.application import Entrance, application
from serve_apps.http.remote import Remote
from serve_apps.http.serving import deployment_options
from serve_apps.prediction.api import PREFIX, routes
from serve_apps.prediction.models import Models
from serve_apps.prediction.ports import PlatformPort, TrendPort


class Cluster:
    """The cluster as the prediction application sees it."""

    def __init__(self, settings: Settings) -> None:
        """Find the models' actor, and open the registry for reading."""
        self.clock = SystemClock()
        self.trend = cast(TrendPort, Remote(TREND))
        self.models = Models(BlobStore.of(settings))
        self._reader = TrendServingReader(settings.data_dir)
        self._found = lru_cache(maxsize=1024)(lambda name: Remote(platform_name(name)))

    def serving(self) -> TrendServing:
        """Return which models serve."""
        return self._reader.serving()

    async def platform(self, platform_id: str) -> PlatformPort:
        """Return a running platform."""
        return cast(PlatformPort, self._found(checked_platform_id(platform_id)))


def asgi() -> Any:  # noqa: ANN401 - an ASGI application
    """Make the application in its replica."""
    settings = load_settings()
    torch.set_num_threads(1)  # a call is short; calls share the processors, not the threads
    entrance = Entrance(settings, TokenReader(settings.data_dir, SystemClock()).card_of)
    return application("Dazzle: prediction", routes(Cluster(settings)), entrance, PREFIX)


app = serve.deployment(**deployment_options("prediction"))(serve.ingress(asgi)()).bind()
