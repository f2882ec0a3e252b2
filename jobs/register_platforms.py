"""python -m jobs.register_platforms --out runs/demo [--cases PATH]   begins a run

Registers a platform for each collection of cases (or divides a single one), with its feature tag,
and links them (S100, S200). The other jobs go on with the run in this folder.
"""

from rich.table import Table

from actors.flow import register, registered
from actors.run import begun
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
    with shell.shown_progress() as progress, begun(out, plan, chosen, progress) as run:
        register(run)
        tags, links = registered(run)
    table = Table("platform", "tag version", "kind", "person-years at risk", "linked with")
    for tag in tags:
        name = tag.profile.platform_id
        linked = [
            f"{to}" if agreed else f"{to} (no agreement)" for s, to, agreed in links if s == name
        ]
        at_risk = f"{tag.profile.person_years_at_risk:,.0f}"
        table.add_row(name, str(tag.version), tag.profile.kind, at_risk, ", ".join(linked))
    shell.console().print(table)


if __name__ == "__main__":
    shell.run_job(main)
