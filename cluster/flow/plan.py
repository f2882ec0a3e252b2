"""The plan of a run: written once into its folder, so that the run can be taken up again."""

from pathlib import Path

from cluster.contracts.ingest import Source
from cluster.contracts.result import SIMULATED, FlowPlan, FlowResult
from cluster.errors import Conflict, NotFound
from cluster.ingest.simulation import simulated_cases
from cluster.settings import LITERATURE, Settings
from cluster.storage.files import write_durably
from cluster.storage.ontology import load_annotated_diseases, load_ontology
from cluster.storage.sources import platform_sources

PLAN = "plan.json"
RESULT = "result.json"


def keep_plan(folder: Path, plan: FlowPlan) -> FlowPlan:
    """Write the plan of a new run, or return the one that the run was begun with.

    Raises:
        Conflict: the folder belongs to a run with another plan.
    """
    path = folder / PLAN
    if not path.exists():
        write_durably(path, plan.model_dump_json(indent=1).encode())
        return plan
    kept = _read(path)
    if kept.model_copy(update={"as_of": plan.as_of}) != plan:
        what = f"{folder} holds a run with another plan"
        raise Conflict(what, PLAN, "Use another folder, or delete this one to begin anew.")
    return kept


def read_plan(folder: Path) -> FlowPlan:
    """Return the plan of a run that was begun.

    Raises:
        NotFound: no run was begun in this folder.
    """
    path = folder / PLAN
    if not path.exists():
        what = f"no run was begun in {folder}"
        raise NotFound(what, PLAN, "Begin with register_platforms or run_flow.")
    return _read(path)


def _read(path: Path) -> FlowPlan:
    """Read a plan; settings of literature, which earlier releases kept, are no part of it."""
    plan = FlowPlan.model_validate_json(path.read_bytes())
    kept = {name: text for name, text in plan.settings.items() if name not in LITERATURE}
    return plan.model_copy(update={"settings": kept})


def finished_result(folder: Path, plan: FlowPlan) -> FlowResult | None:
    """Return the result of a run that has been finished; None where there is something to do.

    Raises:
        Conflict: the folder belongs to a run with another plan.
    """
    path = folder / RESULT
    if not path.exists():
        return None
    keep_plan(folder, plan)
    return FlowResult.model_validate_json(path.read_bytes())


def sources_of(plan: FlowPlan, folder: Path, settings: Settings) -> dict[str, Source]:
    """Return what each platform takes in; a SIMULATED cohort is drawn where it is missing."""
    if plan.cases != SIMULATED:
        return platform_sources(Path(plan.cases), plan.platforms)
    names = [f"platform-{n}" for n in range(1, plan.platforms + 1)]
    paths = {name: (folder / "cohort" / f"{name}.jsonl").resolve() for name in names}
    if not all(path.exists() for path in paths.values()):
        ontology = load_ontology(settings.data_dir, settings.hpo_path)
        diseases = load_annotated_diseases(ontology)
        for name, path in paths.items():
            n, seed = plan.cases_per_platform, plan.seed
            drawn = simulated_cases(diseases, ontology, platform=name, n=n, seed=seed)
            write_durably(path, ("\n".join(drawn) + "\n").encode())
    return {name: Source(files=(str(path),)) for name, path in paths.items()}
