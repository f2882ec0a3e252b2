"""Training runs as jobs of Ray, which keeps them going, says how far they are, and their output."""

import asyncio
import shlex
import sys
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import ray
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from cluster.contracts.diagnosis import TrainingOrder, TrainingRun
from cluster.errors import Conflict, StoreUnavailable
from cluster.ids import sha256
from cluster.settings import PREFIX, Settings
from cluster.storage.files import write_durably

FOLDER: Final = "training"
KIND: Final = "dazzle-training"
CONFIG: Final = "asked.json"
MESSAGE_CHARS: Final = 500
State = Literal["pending", "running", "stopped", "succeeded", "failed"]
STATES: Final[dict[JobStatus, State]] = {
    JobStatus.PENDING: "pending",
    JobStatus.RUNNING: "running",
    JobStatus.STOPPED: "stopped",
    JobStatus.SUCCEEDED: "succeeded",
    JobStatus.FAILED: "failed",
}


class RayJobs:
    """Submits jobs to the cluster that this process belongs to; see ``TrainingPort``."""

    def __init__(self, settings: Settings) -> None:
        """Remember what the jobs are run with."""
        self._settings = settings

    @cached_property
    def _client(self) -> JobSubmissionClient:
        what, remedy = "the cluster takes no jobs", "Start it with ray start --head."
        if not ray.is_initialized():  # another cluster on this machine is not asked instead
            raise StoreUnavailable(what, remedy=remedy)
        try:
            return JobSubmissionClient(ray.get_runtime_context().gcs_address)
        except (ConnectionError, RuntimeError, ValueError):
            raise StoreUnavailable(what, remedy=remedy) from None

    async def submit(self, run: str, order: TrainingOrder, by: str) -> TrainingRun:
        """Begin a run under a name; one that was begun under it is returned."""
        return await asyncio.to_thread(self._submit, run, order, by)

    async def runs(self) -> list[TrainingRun]:
        """Return the runs that the cluster remembers, the last first."""
        return await asyncio.to_thread(self._runs)

    def _submit(self, run: str, order: TrainingOrder, by: str) -> TrainingRun:
        folder = self._settings.data_dir / FOLDER / run
        client, digest = self._client, sha256(order.model_dump_json())
        begun = self._begun(run, digest)
        if begun is not None:
            return begun
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / CONFIG, order.config.model_dump_json(indent=1).encode())
        texts = self._settings.texts()
        env = {"env_vars": {f"{PREFIX}{one.upper()}": texts[one] for one in texts}}
        told = {"kind": KIND, "name": order.name, "data_set": order.data_set, "by": by}
        try:
            client.submit_job(
                entrypoint=shlex.join(command_of(order, folder, by)),
                submission_id=run,
                metadata=told | {"order": digest},
                runtime_env=env | _own_code(),
            )
        except RuntimeError:  # Ray's way of saying that there is one of this name, among others
            begun = self._begun(run, digest)
            if begun is None:
                raise
            return begun
        return _run_of(client.get_job_info(run))

    def _begun(self, run: str, digest: str) -> TrainingRun | None:
        """Return the run of a name.

        Raises:
            Conflict: it was begun with another order.
        """
        for job in self._client.list_jobs():
            if job.submission_id == run:
                if (job.metadata or {}).get("order") != digest:
                    what = "this idempotency key came before with another order"
                    remedy = "Draw a new key for a new run."
                    raise Conflict(what, "Idempotency-Key", remedy)
                return _run_of(job)
        return None

    def _runs(self) -> list[TrainingRun]:
        jobs = [one for one in self._client.list_jobs() if (one.metadata or {}).get("kind") == KIND]
        ordered = sorted(jobs, key=lambda one: -(one.start_time or 0))
        return [_run_of(one) for one in ordered]


def _own_code() -> dict[str, str]:
    """Return where the code of this replica comes from, if that is no installed package."""
    place = ray.get_runtime_context().runtime_env.get("working_dir")
    return {"working_dir": str(place)} if place else {}


def command_of(order: TrainingOrder, folder: Path, by: str) -> list[str]:
    """Return the words of the command of a run.

    Args:
        order: what is asked for.
        folder: of the run, with its configuration; all nodes must reach it.
        by: name of the token; what it trains waits for an operator.
    """
    given = {
        "dataset": order.data_set,
        "name": order.name,
        "weights": order.weights,
        "licence": order.licence,
        "config": str(folder / CONFIG),
        "out": str(folder),
        "asked-by": by,
    }
    return [
        *(sys.executable, "-m", "jobs.fit_inception"),
        *(f"--{option}={text}" for option, text in given.items() if text),
        *(f"--bind={label}={code}" for label, code in order.diseases.items()),
    ]


def _run_of(job: JobDetails) -> TrainingRun:
    told = job.metadata or {}
    lines = [line for line in (job.message or "").splitlines() if line.strip()]
    return TrainingRun(
        run=job.submission_id or "",
        name=told.get("name", ""),
        data_set=told.get("data_set", ""),
        by=told.get("by", ""),
        state=STATES[job.status],
        message=lines[-1][:MESSAGE_CHARS] if lines and job.status is JobStatus.FAILED else "",
        begun_at=_seconds(job.start_time),
        ended_at=_seconds(job.end_time),
    )


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
