"""python -m jobs.run_flow --out runs/demo [--cases PATH]      the whole flow S100-S1000, once

Registers the platforms, takes in and screens their cases, counts accesses, trains and updates the
trend model, decides, delivers, and renews related material. Started again with the same folder it
goes on where it stopped, and a finished run is shown again; nothing is done twice.
"""

from pathlib import Path

from actors.flow import run_all
from actors.run import begun
from cluster.contracts.result import FlowPlan
from cluster.flow.plan import finished_result
from cluster.settings import Settings
from jobs import shell


def work(out: Path, plan: FlowPlan, settings: Settings) -> None:
    result = finished_result(out, plan)
    if result is None:
        with shell.shown_progress() as progress, begun(out, plan, settings, progress) as run:
            result = run_all(run)
    shell.show_result(out, result)


if __name__ == "__main__":
    shell.run_job(shell.planned(work))
