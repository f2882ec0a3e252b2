"""Routes of training runs: each is a job of the cluster, `jobs.fit_inception` (C2, C9)."""

import asyncio
import secrets
from typing import Annotated, Final

from fastapi import APIRouter, Body, Request

from cluster.contracts.diagnosis import TrainingOrder, TrainingRun
from cluster.errors import NotFound
from cluster.ids import key_of
from cluster.settings import Settings
from cluster.storage.image_sets import ImageSets
from serve_apps.diagnosis.examples import TRAINING
from serve_apps.diagnosis.ports import DiagnosisPorts
from serve_apps.http.guard import Key, caller_of
from serve_apps.http.problems import Refused

RUNS_MAX: Final = 4
"""That have not ended."""
COME_AGAIN_S: Final = 600


def add_training(made: APIRouter, ports: DiagnosisPorts) -> None:
    """Add the routes of training runs to those of the diagnosis application."""

    @made.post("/training-runs", status_code=202)
    async def begin(
        request: Request,
        order: Annotated[TrainingOrder, Body(openapi_examples=TRAINING)],
        key: Key = "",
    ) -> TrainingRun:
        """Begin to train a model on a stored set of images.

        When it has succeeded it waits in the list until an operator accepts it.
        """
        await asyncio.to_thread(_check_set, order.data_set, ports.settings)
        by = caller_of(request).name
        run = f"train-{key_of(by, key)[:12] if key else secrets.token_hex(6)}"
        known = await ports.training.runs()
        open_runs = [one for one in known if one.ended_at is None and one.run != run]
        if len(open_runs) >= RUNS_MAX:
            headers = {"Retry-After": str(COME_AGAIN_S)}
            raise Refused(503, f"{RUNS_MAX} training runs have not ended", headers=headers)
        return await ports.training.submit(run, order, by)

    @made.get("/training-runs")
    async def list_runs() -> list[TrainingRun]:
        """List the runs that the cluster remembers, the last first."""
        return await ports.training.runs()

    @made.get("/training-runs/{run}")
    async def get_run(run: str) -> TrainingRun:
        """Get how far a run is."""
        for one in await ports.training.runs():
            if one.run == run:
                return one
        what = "there is no such run"
        raise NotFound(what, "run", "List the runs; the cluster forgets them when it is restarted.")


def _check_set(name: str, settings: Settings) -> None:
    if not ImageSets.of(settings).versions(name):
        what = "there is no such set of images"
        raise NotFound(what, "data_set", "Hand it over first, or list the sets.")
