"""python -m jobs.fit_ranking --index PATH --out ranking.json   learns the order of search results

From published cases, each asked about without its own publication (S400). Use the file with
--set ranking_path=ranking.json.
"""

from pathlib import Path
from typing import Annotated

import typer

from cluster.flow.ranking_fit import fit_ranking
from cluster.flow.retrieval import files_platform
from cluster.storage.files import write_durably
from jobs import shell


def main(
    index: Annotated[list[Path], typer.Option(help="phenopackets; repeatable")],
    out: Annotated[Path, typer.Option(help="file of the weights")],
    cases: Annotated[int, typer.Option(min=100, help="cases asked about, drawn at random")] = 4000,
    seed: shell.Seed = 1,
    learned_from: Annotated[str, typer.Option(help="what the file says of its source")] = "",
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    shell.out_file(out)
    with shell.shown_progress() as progress, files_platform(index, chosen) as (platform, report):
        progress("ingest", report.added, report.added)
        source = learned_from or ", ".join(path.resolve().name for path in index)
        model = fit_ranking(platform, n_cases=cases, seed=seed, source=source, tell=progress)
    write_durably(out, model.model_dump_json(indent=1).encode())
    table = shell.table("patient with", "weights", *(), title="weights of the figures")
    for name, weights in (("excluded terms", model.examined), ("observed only", model.observed)):
        for kind, values in weights.model_dump().items():
            shown = ", ".join(f"{figure} {value:.3f}" for figure, value in values.items())
            table.add_row(f"{name}: {kind}", shown)
    shell.console().print(table)
    shell.console().print(str(out), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
