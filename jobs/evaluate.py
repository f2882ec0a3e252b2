"""python -m jobs.evaluate retrieval --index PATH --out DIR   measures retrieval on published cases

Each case is asked about by its terms alone, as if it were new: once with the other cases of its
publication, once without any of them. The search of a platform stands beside simple methods, with
intervals and paired tests (S400). Written are evaluation.json and evaluation.html.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cluster.flow.retrieval import files_platform
from cluster.flow.retrieval_study import study_retrieval
from cluster.report.retrieval_study import render_page, render_study
from cluster.storage.files import write_durably
from jobs import shell


def main(
    what: Annotated[Literal["retrieval"], typer.Argument(help="what to measure")],
    index: Annotated[list[Path], typer.Option(help="phenopackets; repeatable")],
    out: Annotated[Path, typer.Option(help="folder of the results")],
    queries: Annotated[
        int | None, typer.Option(min=1, help="cases asked about, drawn at random; default: all")
    ] = None,
    seed: shell.Seed = 1,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    shell.out_folder(out)
    source = ", ".join(path.resolve().name for path in index)
    with shell.shown_progress() as progress, files_platform(index, chosen) as (platform, report):
        progress("ingest", report.added, report.added)
        study = study_retrieval(
            platform, n_queries=queries, seed=seed, source=source, tell=progress
        )
    write_durably(out / "evaluation.json", study.model_dump_json(indent=1).encode())
    write_durably(out / "evaluation.html", render_page(study).encode())
    screen = shell.console()
    render_study(study, screen)
    for name in ("evaluation.json", "evaluation.html"):
        screen.print(str(out / name), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
