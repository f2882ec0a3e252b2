"""python -m jobs.run_flow --out runs/demo [--cases PATH]      the whole flow S100-S1000, once

Registers the platforms, takes in and screens their cases, counts accesses, trains and updates the
trend model, decides, delivers, and renews related material. Started again with the same folder it
goes on where it stopped, and a finished run is shown again; nothing is done twice.
"""

from actors.flow import run_all
from actors.run import begun
from cluster.flow.plan import finished_result
from jobs import shell


def main(
    out: shell.Out,
    cases: shell.Cases = "",
    events: shell.Events = "",
    platforms: shell.Platforms = 4,
    cases_per_platform: shell.PerPlatform = 400,
    history_days: shell.HistoryDays = 120,
    seed: shell.Seed = 1,
    as_of: shell.AsOf = "",
    no_agreement: shell.NoAgreement = [],  # noqa: B006 - typer copies it
    settings: shell.Set = [],  # noqa: B006
) -> None:
    chosen = shell.settings_from(settings)
    plan = shell.plan_from(
        out=out,
        cases=cases,
        events=events,
        platforms=platforms,
        cases_per_platform=cases_per_platform,
        history_days=history_days,
        seed=seed,
        as_of=as_of,
        no_agreement=no_agreement,
        settings=chosen,
    )
    result = finished_result(out, plan)
    if result is None:
        with shell.shown_progress() as progress, begun(out, plan, chosen, progress) as run:
            result = run_all(run)
    shell.show_result(out, result)


if __name__ == "__main__":
    shell.run_job(main)
