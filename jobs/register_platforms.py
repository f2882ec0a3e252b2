"""python -m jobs.register_platforms --out runs/demo [--cases PATH]   begins a run

--at-risk NAME=PERSON_YEARS states a platform's population at risk; the others have the default.
Registers a platform for each collection of cases (or divides a single one), with its feature tag,
and links them (S100, S200). The other jobs go on with the run in this folder.
"""

from pathlib import Path

from actors.flow import register
from actors.run import begun
from actors.upkeep import registered
from cluster.contracts.result import FlowPlan
from cluster.settings import Settings
from jobs import shell


def work(out: Path, plan: FlowPlan, settings: Settings) -> None:
    with shell.shown_progress() as progress, begun(out, plan, settings, progress) as run:
        register(run)
        tags, links = registered(run)
    table = shell.table("platform", "tag version", "kind", "person-years at risk", "linked with")
    for tag in tags:
        name = tag.profile.platform_id
        there = [(to, agreed) for source, to, agreed in links if source == name]
        linked = [to if agreed else f"{to} (no agreement)" for to, agreed in there]
        profile = tag.profile
        at_risk = f"{profile.person_years_at_risk:,.0f} ({profile.at_risk_origin})"
        table.add_row(name, str(tag.version), tag.profile.kind, at_risk, ", ".join(linked))
    shell.console().print(table)


if __name__ == "__main__":
    shell.run_job(shell.planned(work))
