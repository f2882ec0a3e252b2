"""python -m jobs.benchmark flow --out runs/bench [--cases PATH]   measures this machine

Rates of each part in one process (medians of three), then the seconds of each step of a whole run;
written to benchmark.json with the facts of the machine. The run's folder must be new.
"""

import json
from typing import Annotated, Literal

import typer

from actors.benchmark import benchmark_flow
from cluster.errors import Conflict
from cluster.storage.files import write_durably
from jobs import shell


def main(
    what: Annotated[Literal["flow"], typer.Argument(help="what to measure")],
    out: shell.Out,
    cases: shell.Cases = "",
    platforms: shell.Platforms = 4,
    cases_per_platform: shell.PerPlatform = 400,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    if out.exists() and any(out.iterdir()):
        problem = f"{out} is not empty, so there would be less to do"
        raise Conflict(problem, remedy="Use a new folder.")
    chosen = shell.settings_from([f"data_dir={out}/data", *settings])
    plan = shell.plan_from(
        out=out,
        cases=cases,
        events="",
        platforms=platforms,
        cases_per_platform=cases_per_platform,
        history_days=120,
        seed=1,
        as_of="",
        no_agreement=[],
        settings=chosen,
    )
    measured = benchmark_flow(plan, out, chosen)
    write_durably(out / "benchmark.json", json.dumps(measured, indent=1).encode())
    table = shell.table("measure", "value", title=f"benchmark of {what}")
    for name, value in measured["one process"].items():
        table.add_row(name, f"{value:,.2f}" if value < 100 else f"{value:,.0f}")
    for name, value in measured["flow"]["steps_s"].items():
        table.add_row(f"step {name}, s", f"{value:.2f}")
    for name in ("cases", "start_up_s", "ingested_screened_indexed_s", "whole_s"):
        table.add_row(name, f"{measured['flow'][name]:,.1f}")
    shell.console().print(table)
    shell.console().print(str(out / "benchmark.json"), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
