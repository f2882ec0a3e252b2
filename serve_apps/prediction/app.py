"""The prediction application on Ray Serve."""

from typing import Final, cast

import torch

from actors.options import TREND
from cluster.clock import SystemClock
from cluster.settings import Settings
from cluster.storage.blobs import BlobStore
from cluster.storage.trend_serving import TrendServing, TrendServingReader
from serve_apps.http.remote import Remote, running_platform
from serve_apps.http.serving import placed
from serve_apps.prediction.api import PREFIX, routes
from serve_apps.prediction.models import Models
from serve_apps.prediction.ports import PlatformPort, TrendPort

REPLICAS: Final = 2
"""A call of a thousand items is arithmetic of ten milliseconds: two processors do two at a time."""


class Cluster:
    """The cluster as the prediction application sees it."""

    def __init__(self, settings: Settings) -> None:
        """Find the models' actor, and open the registry for reading."""
        torch.set_num_threads(1)  # a call is short; calls share the processors, not the threads
        self.clock = SystemClock()
        self.trend = cast(TrendPort, Remote(TREND))
        self.models = Models(BlobStore.of(settings))
        self._reader = TrendServingReader(settings.data_dir)

    def serving(self) -> TrendServing:
        """Return which models serve."""
        return self._reader.serving()

    async def platform(self, platform_id: str) -> PlatformPort:
        """Return a running platform."""
        return cast(PlatformPort, running_platform(platform_id))


app = placed("prediction", Cluster, routes, PREFIX, REPLICAS)
