"""The models in the shapes of the Open Inference Protocol (V2): metadata and readiness.

There is no ``infer``: indexes are asked in the shapes of this application.
"""

from typing import Any, Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from cluster.contracts.prediction import (
    ModelMetadata,
    ModelReady,
    ServerReady,
    ServingModel,
    Tensor,
)
from cluster.contracts.trend import N_OBS, TrendCard
from cluster.errors import DazzleError, NotFound
from cluster.storage.trend_serving import TrendServing
from serve_apps.http.problems import PROBLEM_JSON
from serve_apps.prediction.ports import PredictionPorts

Name = Literal["trend-first", "trend-second"]
NAMES: Final[tuple[Name, ...]] = ("trend-first", "trend-second")
KIND: Final = "dazzle-trend"
INPUTS: Final = (
    Tensor(name="clicks", datatype="INT64", shape=(-1, N_OBS)),
    Tensor(name="usages", datatype="INT64", shape=(-1, N_OBS)),
    Tensor(name="elsewhere", datatype="INT64", shape=(-1, N_OBS)),
    Tensor(name="first_access", datatype="FP64", shape=(-1,)),
    Tensor(name="propagation", datatype="FP64", shape=(-1,)),
    Tensor(name="period_end", datatype="FP64", shape=(1,)),
    Tensor(name="period_days", datatype="FP64", shape=(1,)),
)
OUTPUTS: Final = (
    Tensor(name="index", datatype="FP64", shape=(-1,)),
    Tensor(name="surge", datatype="FP64", shape=(-1,)),
    Tensor(name="log_growth", datatype="FP64", shape=(-1,)),
)
NOT_READY: Final = 503


def add_inference_protocol(made: APIRouter, ports: PredictionPorts) -> None:
    """Add the routes to those of the prediction application."""

    @made.get("/v2/health/ready", responses=_not_ready(ServerReady))
    async def server_ready(response: Response) -> ServerReady:
        """Say whether every model that serves is loaded, and there is one; 503 where not."""
        try:
            found = await serving_models(ports)
        except DazzleError:
            found = []
        is_ready = bool(found) and all(one.ready for one in found)
        response.status_code = 200 if is_ready else NOT_READY
        return ServerReady(ready=is_ready)

    @made.get("/v2/models/{name}")
    async def model_metadata(name: str) -> ModelMetadata:
        """Get what a model takes and gives; its version is that which serves now."""
        card = card_of(ports.serving(), name)
        versions = (card.version,) if card else ()
        return ModelMetadata(
            name=name, versions=versions, platform=KIND, inputs=INPUTS, outputs=OUTPUTS
        )

    @made.get("/v2/models/{name}/ready", responses=_not_ready(ModelReady))
    async def model_ready(name: str, response: Response) -> ModelReady:
        """Say whether a model is loaded and answers; 503 where not."""
        card = card_of(ports.serving(), name)
        is_ready = card is not None and await _is_ready(ports, card)
        response.status_code = 200 if is_ready else NOT_READY
        return ModelReady(name=name, ready=is_ready)


async def serving_models(ports: PredictionPorts) -> list[ServingModel]:
    """Return the models that serve, each loaded where that can be done."""
    found = ports.serving()
    cards = [(name, card_of(found, name)) for name in NAMES]
    return [
        ServingModel(name=name, version=card.version, ready=await _is_ready(ports, card))
        for name, card in cards
        if card is not None
    ]


def card_of(serving: TrendServing, name: str) -> TrendCard | None:
    """Return the card of the model that serves under a name of the protocol.

    Raises:
        NotFound: there is no such name.
    """
    if name not in NAMES:
        what = "there is no such model"
        raise NotFound(what, remedy=f"Names are {', '.join(NAMES)}.")
    return serving.first if name == "trend-first" else serving.second


async def _is_ready(ports: PredictionPorts, card: TrendCard) -> bool:
    try:
        await ports.models.get(card.version)
    except DazzleError:
        return False
    return True


def _not_ready(form: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Describe a 503 that has the same shape as the answer, or is a problem as everywhere."""
    shapes = {
        "application/json": {"schema": form.model_json_schema()},
        PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}},
    }
    return {NOT_READY: {"description": "not ready, or all slots are taken", "content": shapes}}
