"""What the routes of the prediction application ask of the cluster."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from cluster.clock import Clock
from cluster.contracts.trend import Prediction
from cluster.storage.trend_serving import TrendServing

if TYPE_CHECKING:
    from cluster.trend.platform_model import PlatformModel


class PlatformPort(Protocol):
    """A platform; as ``PlatformService``."""

    async def access_windows(self, as_of: float, history_days: float) -> pa.Table: ...


class TrendPort(Protocol):
    """The models as a process, which keeps what it predicts; as ``TrendService``."""

    async def predict(self, version: str, windows: pa.Table) -> Sequence[Prediction]: ...


class ModelsPort(Protocol):
    """The models in this process."""

    async def get(self, version: str) -> "PlatformModel":
        """Return a model, read from the blob store when it is first asked.

        Raises:
            ModelNotReady: its file is not there.
            IntegrityError: its file is damaged, or of another version of Dazzle.
        """
        ...


class PredictionPorts(Protocol):
    """The cluster, as the prediction application sees it."""

    @property
    def trend(self) -> TrendPort: ...

    @property
    def models(self) -> ModelsPort: ...

    @property
    def clock(self) -> Clock: ...

    def serving(self) -> TrendServing:
        """Return which models serve; it costs next to nothing.

        Raises:
            StoreUnavailable: that cannot be read.
        """
        ...

    async def platform(self, platform_id: str) -> PlatformPort:
        """Return a running platform.

        Raises:
            NotFound: there is none of this name.
        """
        ...
