"""Begins a run in its folder, or takes it up again, on a cluster."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from actors.flow import Progress, Run
from actors.session import connected, open_session
from cluster.contracts.result import SIMULATED, FlowPlan
from cluster.errors import Conflict, InputError
from cluster.flow.plan import PLAN, keep_plan, read_plan, sources_of
from cluster.settings import LITERATURE, Settings, load_settings
from cluster.storage.ontology import load_ontology
from cluster.storage.prevalence import load_rates
from cluster.storage.ranking import load_ranking
from cluster.storage.sources import read_events

PLACES = ("data_dir", "blob_uri", *LITERATURE)
"""Settings that say where things lie and who is asked; a run that is taken up may have others."""


@contextmanager
def begun(folder: Path, plan: FlowPlan, settings: Settings, progress: Progress) -> Iterator[Run]:
    """Open a run with a plan; a folder that has one goes on with it.

    Raises:
        Conflict: the folder belongs to a run with another plan.
        SourceUnreadable: there are no cases, or no events, at the plan's paths, or no ontology, no
            weights or no published rates at the settings'.
        InputError: a platform that the plan names is not among the platforms.
    """
    sources = sources_of(plan, folder, settings)
    load_ontology(settings.data_dir, settings.hpo_path)  # made once, before many processes map it
    if plan.events != SIMULATED:
        read_events(Path(plan.events))
    if not (folder / PLAN).exists():
        check_files(settings)
    for option, named in (("--no-agreement", plan.no_agreement), ("--at-risk", plan.at_risk)):
        unknown = sorted(set(named) - set(sources))
        if unknown:
            what = f"there is no platform {unknown[0]}"
            raise InputError(what, option, f"Known are: {', '.join(sources)}.")
    kept = keep_plan(folder, plan)
    without = kept.no_agreement or (list(sources)[-1],)
    kept = kept.model_copy(update={"no_agreement": without})
    with connected():
        session = open_session(settings, list(sources))
        yield Run(kept, sources, session, progress)


def check_files(settings: Settings) -> None:
    """Read the files that a new run names for later steps: afterwards their paths are fixed.

    Raises:
        SourceUnreadable: the weights of the ranking, or the published rates, cannot be read.
    """
    load_ranking(settings.ranking_path)
    if settings.prevalence_path:
        load_rates(Path(settings.prevalence_path))


@contextmanager
def resumed(folder: Path, changed: Mapping[str, str], progress: Progress) -> Iterator[Run]:
    """Open a run that was begun before, with the settings that it was begun with.

    Args:
        folder: of the run.
        changed: settings by name; only ``PLACES`` may differ from the plan's.
        progress: who is told how far it is.

    Raises:
        NotFound: no run was begun in this folder.
        Conflict: a setting differs from the plan's.
    """
    plan = read_plan(folder)
    settings = settings_of(plan, folder, changed)
    with begun(folder, plan, settings, progress) as run:
        yield run


def settings_of(plan: FlowPlan, folder: Path, changed: Mapping[str, str]) -> Settings:
    """Return the settings of a run that is taken up; a secret comes from the environment again.

    Raises:
        Conflict: a setting differs from the plan's that is not one of ``PLACES``.
    """
    planned, settings = load_settings(plan.settings), load_settings({**plan.settings, **changed})
    for name in Settings.model_fields:
        if name not in PLACES and getattr(planned, name) != getattr(settings, name):
            what = f"the run was begun with {name}={getattr(planned, name)}"
            raise Conflict(what, str(folder), "Begin another run for another setting.")
    return settings
