"""python -m jobs.benchmark WHAT --out runs/bench [--cases PATH]   measures this machine

flow: rates of each part in one process (medians of three), then the seconds of each step of a whole
run. retrieval: searches of indexes of several sizes, beside a comparison with every vector;
beyond the given cases they hold SIMULATED ones. screening: of drawn cases, beside counting them.
propagation: paths and indexes of drawn transmissions, a batch added in memory beside a recount.
images: training by stage and workers, recognition by runtime, of --dataset or SIMULATED images.
http: the services on bare uvicorn, on Serve and in its fast form, side by side, with wrk if here.
Written to benchmark.json with the facts of the machine. The run's folder must be new.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from cluster.contracts.image_models import Backbone
from cluster.contracts.ingest import Source
from cluster.contracts.result import SIMULATED, FlowPlan
from cluster.errors import Conflict, InputError
from cluster.flow.plan import sources_of
from cluster.settings import Settings
from cluster.storage.files import write_durably
from cluster.storage.image_sets import ImageSets
from jobs import shell
from jobs.image_intake import stored_set

FILE = "benchmark.json"
SIZES = "8000,100000,1000000"
WORKERS = "images: processes that train together; repeatable"
Figures = Mapping[str, float]


def main(
    what: Annotated[
        Literal["flow", "retrieval", "screening", "propagation", "images", "http"],
        typer.Argument(help="what to measure"),
    ],
    out: shell.Out,
    cases: shell.Cases = "",
    platforms: shell.Platforms = 4,
    cases_per_platform: shell.PerPlatform = 400,
    sizes: Annotated[str, typer.Option(help="retrieval: numbers of cases")] = SIZES,
    n_cases: Annotated[int, typer.Option(min=1, help="screening: cases")] = 10_000_000,
    n_classes: Annotated[int, typer.Option(min=1, help="screening: classes")] = 20_000,
    n_edges: Annotated[int, typer.Option(min=1, help="propagation: transmissions")] = 1_000_000,
    dataset: Annotated[str, typer.Option(help="images: zip or folder")] = "",
    weights: Annotated[str, typer.Option(help="images: as of fit_inception")] = "none",
    backbone: Annotated[Backbone, typer.Option(help="images: network")] = "inception_v3",
    image_size: Annotated[int, typer.Option(help="images: pixels of a side")] = 299,
    n_images: Annotated[int, typer.Option(min=24, help="images: of a set, at the most")] = 96,
    workers: Annotated[list[int], typer.Option(min=1, help=WORKERS)] = [1, 2],  # noqa: B006 - typer copies it
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    if out.exists() and any(out.iterdir()):
        problem = f"{out} is not empty, so there would be less to do"
        raise Conflict(problem, remedy="Use a new folder.")
    out.mkdir(parents=True, exist_ok=True)
    chosen = shell.settings_from([f"data_dir={out}/data", *settings])
    if what == "images":
        asked: dict[str, object] = {"backbone": backbone, "image_size": image_size}
        _images(out, chosen, _Images(dataset, n_images, weights, asked, workers))
        return
    plan = _plan(out, cases, platforms, cases_per_platform, chosen)
    if what == "http":
        _http(plan, out, chosen)
        return
    # what measures memory in new processes must not load Ray and torch with this module
    from actors.benchmark import benchmark_flow, machine_facts

    measured: dict[str, Any]
    if what == "flow":
        measured = benchmark_flow(plan, out, chosen)
        columns = {"value": _flow_figures(measured)}
    elif what == "retrieval":
        measured = {"machine": machine_facts(), **_retrieval(plan, out, chosen, _numbers(sizes))}
        columns = {f"{int(size):,} cases": facts for size, facts in measured["sizes"].items()}
    else:
        is_screening = what == "screening"
        figures = _screening(n_cases, n_classes) if is_screening else _propagation(out, n_edges)
        measured = {"machine": machine_facts(), "cases": SIMULATED, what: figures}
        columns = {"value": figures}
    _write(out, measured)
    _show(f"benchmark of {what}, cases: {measured['cases']}", columns)
    _tell_place(out)


def _write(out: Path, measured: Mapping[str, Any]) -> None:
    write_durably(out / FILE, json.dumps(measured, indent=1).encode())


def _tell_place(out: Path) -> None:
    shell.console().print(str(out / FILE), highlight=False, soft_wrap=True)


class _Images(NamedTuple):
    """What is asked for of images."""

    dataset: str
    most: int
    weights: str
    config: dict[str, object]
    workers: list[int]


def _images(out: Path, settings: Settings, asked: _Images) -> None:
    from actors.benchmark import machine_facts
    from actors.benchmark_images import benchmark_images, simulated_set, some_of
    from actors.trainers.inception import ImageTask
    from cluster.imaging.search import config_from
    from cluster.imaging.weights import read_checkpoint
    from cluster.storage.starting_weights import resolve_weights

    config = config_from("{}", asked.config)
    found = resolve_weights(config.backbone, asked.weights, read_checkpoint)
    if asked.dataset:
        stored = stored_set(asked.dataset, out / "dataset", "benchmark", None, settings)
        manifest = some_of(ImageSets.of(settings).manifest(stored.name, stored.digest), asked.most)
    else:
        manifest = simulated_set(settings, asked.most)
    task = ImageTask(manifest, found, settings)
    measured = {
        "machine": machine_facts(),
        "cases": asked.dataset or SIMULATED,
        **benchmark_images(task, config, asked.workers, out / "training"),
    }
    _write(out, measured)
    title = f"{config.backbone} at {config.image_size} pixels, images: {measured['cases']}"
    parts = {"recognition": "batch of", "training": "workers:"}
    for part, unit in parts.items():
        columns = {f"{unit} {n}": figures for n, figures in measured[part].items()}
        _show(f"{part}, {title}", columns)
    _show(f"a photograph of 12 million pixels, {SIMULATED}", {"value": measured["picture"]})
    _show("files", {"MB": measured["file_mb"]})
    _tell_place(out)


def _screening(n_cases: int, n_classes: int) -> dict[str, float]:
    from actors.benchmark_screening import benchmark_screening

    return benchmark_screening(n_cases, n_classes)


def _propagation(out: Path, n_edges: int) -> dict[str, float]:
    from actors.benchmark_propagation import benchmark_propagation

    scratch = out / "scratch"
    scratch.mkdir()
    measured = benchmark_propagation(scratch, n_edges)
    shutil.rmtree(scratch)
    return measured


def _retrieval(plan: FlowPlan, out: Path, settings: Settings, sizes: list[int]) -> dict[str, Any]:
    from actors.benchmark_retrieval import benchmark_retrieval

    files = {file: None for one in sources_of(plan, out, settings).values() for file in one.files}
    scratch = out / "scratch"
    scratch.mkdir()
    measured = benchmark_retrieval(Source(files=tuple(files)), sizes, scratch, settings)
    shutil.rmtree(scratch)
    made = sum(facts["simulated_cases"] for facts in measured["sizes"].values())
    beyond = f", beyond {measured['given_cases']:,} of them {SIMULATED}" if made else ""
    return {"cases": f"{plan.cases}{beyond}", **measured}


def _plan(
    out: Path, cases: str, platforms: int, cases_per_platform: int, settings: Settings
) -> FlowPlan:
    return shell.plan_from(
        out=out,
        cases=cases,
        events="",
        platforms=platforms,
        cases_per_platform=cases_per_platform,
        history_days=120,
        seed=1,
        as_of="",
        no_agreement=[],
        settings=settings,
    )


def _http(plan: FlowPlan, out: Path, settings: Settings) -> None:
    from actors.benchmark import machine_facts
    from serve_apps.benchmark import benchmark_http

    files = {file: None for one in sources_of(plan, out, settings).values() for file in one.files}
    scratch = out / "scratch"
    scratch.mkdir()
    figures = benchmark_http(Source(files=tuple(files)), scratch, settings)
    shutil.rmtree(scratch)
    _write(out, {"machine": machine_facts(), "cases": plan.cases, **figures})
    for name, forms in figures["http"].items():
        _show(f"{name}; {figures['n_cases']:,} cases, load by {figures['load']}", forms)
    _tell_place(out)


def _numbers(sizes: str) -> list[int]:
    numbers = [int(size) if size.strip().isdecimal() else 0 for size in sizes.split(",")]
    if min(numbers) < 1:
        what = f"{sizes!r} is not a list of numbers of cases"
        raise InputError(what, "--sizes", f"Write --sizes {SIZES}, for example.")
    return numbers


def _flow_figures(measured: Mapping[str, Any]) -> dict[str, float]:
    flow = measured["flow"]
    steps = {f"step {name}, s": seconds for name, seconds in flow["steps_s"].items()}
    whole = ("cases", "start_up_s", "ingested_screened_indexed_s", "whole_s")
    return {**measured["one process"], **steps, **{name: flow[name] for name in whole}}


def _show(title: str, columns: Mapping[str, Figures]) -> None:
    table = shell.table("measure", *columns, title=title)
    for name in next(iter(columns.values())):
        values = [facts[name] for facts in columns.values()]
        table.add_row(name, *(f"{v:,.0f}" if v >= 100 else f"{v:,.4g}" for v in values))
    shell.console().print(table)


if __name__ == "__main__":
    shell.run_job(main)
