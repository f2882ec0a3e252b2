"""python -m jobs.evaluate WHAT --out DIR   measures how good the product's answers are

retrieval --index PATH: each published case is asked about by its terms alone, as if it were new,
once with the other cases of its publication, once without any of them. The search of a platform
stands beside simple methods, with intervals and paired tests (S400). trend --windows FILE.parquet
--from YYYY-MM-DD: forward in time, learns from the windows whose horizon had ended by that day,
and scores forecasts of those cut on it or later, beside simple ones (S700). Written are
evaluation.json and evaluation.html.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer
from pydantic import BaseModel

from cluster.clock import parse_iso
from cluster.errors import InputError
from cluster.flow.retrieval import files_platform
from cluster.flow.retrieval_study import study_retrieval
from cluster.report import retrieval_study, trend_forward
from cluster.settings import Settings
from cluster.storage.files import write_durably
from cluster.storage.windows import read_windows
from jobs import shell

FIGURES = "evaluation.json"
PAGE = "evaluation.html"
V = TypeVar("V")


def main(
    what: Annotated[Literal["retrieval", "trend"], typer.Argument(help="what to measure")],
    out: Annotated[Path, typer.Option(help="folder of the results")],
    index: Annotated[
        list[Path] | None, typer.Option(help="retrieval: phenopackets; repeatable")
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(min=1, help="retrieval: cases asked about, drawn at random; default: all"),
    ] = None,
    windows: Annotated[
        Path | None, typer.Option(help="trend: Parquet of access windows with labels")
    ] = None,
    day: Annotated[
        str | None, typer.Option("--from", help="trend: forecast from this day on, ISO 8601")
    ] = None,
    seed: shell.Seed = 1,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    if what == "retrieval":
        _refuse_given({"--windows": windows, "--from": day}, what)
        _retrieval(_given(index, "--index"), out, queries, seed, chosen)
    else:
        _refuse_given({"--index": index, "--queries": queries}, what)
        _trend(_given(windows, "--windows"), out, _given(day, "--from"), seed, chosen)


def _retrieval(
    index: list[Path], out: Path, queries: int | None, seed: int, settings: Settings
) -> None:
    shell.out_folder(out)
    source = ", ".join(path.resolve().name for path in index)
    with shell.shown_progress() as progress, files_platform(index, settings) as (platform, report):
        progress("ingest", report.added, report.added)
        study = study_retrieval(
            platform, n_queries=queries, seed=seed, source=source, tell=progress
        )
    _write(out, study, retrieval_study.render_page(study))
    retrieval_study.render_study(study, shell.console())
    _name_files(out)


def _trend(windows: Path, out: Path, day: str, seed: int, settings: Settings) -> None:
    from cluster.trend.fit import FitConfig
    from cluster.trend.forward import study_forward

    try:
        instant = parse_iso(day)
    except ValueError:
        what = f"{day!r} is not a date"
        raise InputError(what, "--from", "Write 2026-01-01, for example.") from None
    found = read_windows(windows)
    shell.out_folder(out)
    config = FitConfig(epochs_max=settings.train_epochs_max, seed=seed)
    study = study_forward(found, instant, config, windows.resolve().name)
    _write(out, study, trend_forward.render_page(study))
    trend_forward.render_forward(study, shell.console())
    _name_files(out)


def _given(value: V | None, option: str) -> V:
    """Return the value of an option that is needed.

    Raises:
        InputError: it was not given.
    """
    if not value:
        what = "it is needed for what is to be measured"
        raise InputError(what, option, "See --help.")
    return value


def _refuse_given(values: Mapping[str, object], what: str) -> None:
    """Refuse options that would change nothing.

    Raises:
        InputError: names the first that was given.
    """
    for option, value in values.items():
        if value:
            problem = f"it has no meaning for {what}"
            raise InputError(problem, option, "Leave it out.")


def _write(out: Path, study: BaseModel, page: str) -> None:
    write_durably(out / FIGURES, study.model_dump_json(indent=1).encode())
    write_durably(out / PAGE, page.encode())


def _name_files(out: Path) -> None:
    for name in (FIGURES, PAGE):
        shell.console().print(str(out / name), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
