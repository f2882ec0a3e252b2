"""Begins a run in its folder, or takes it up again, on a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.flow import Progress, Run
from actors.session import connected, open_session
from cluster.contracts.result import FlowPlan
from cluster.flow.plan import keep_plan, read_plan, sources_of
from cluster.settings import Settings


@contextmanager
def begun(folder: Path, plan: FlowPlan, settings: Settings, progress: Progress) -> Iterator[Run]:
    """Open a run with a plan; a folder that has one goes on with it.

    Raises:
        Conflict: the folder belongs to a run with another plan.
        SourceUnreadable: there are no cases at the plan's path.
    """
    kept = keep_plan(folder, plan)
    sources = sources_of(kept, folder, settings)
    without = kept.no_agreement or (list(sources)[-1],)
    kept = kept.model_copy(update={"no_agreement": without})
    with connected():
        session = open_session(settings, list(sources))
        yield Run(kept, sources, session, progress)


@contextmanager
def resumed(folder: Path, settings: Settings, progress: Progress) -> Iterator[Run]:
    """Open a run that was begun before.

    Raises:
        NotFound: no run was begun in this folder.
    """
    with begun(folder, read_plan(folder), settings, progress) as run:
        yield run
