"""What all jobs share: options, progress, and how errors reach people and exit codes."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.table import Table

from cluster.clock import DAY_S, SystemClock, iso, parse_iso
from cluster.contracts.image_models import ListedModel, label_faults
from cluster.contracts.result import SIMULATED, FlowPlan, FlowResult
from cluster.errors import DazzleError, InputError
from cluster.flow.plan import RESULT
from cluster.report.html import render_report
from cluster.report.text import literal, render_summary
from cluster.settings import Settings, load_settings
from cluster.storage.files import write_durably

M = TypeVar("M", bound=BaseModel)
EXIT_INPUT = 2
EXIT_FAULT = 1
WIDTH_MIN = 100
PROBLEMS_SHOWN = 20
DIGEST_CHARS = 12

Out = Annotated[Path, typer.Option(help="folder of the run: plan, result and report")]
Set = Annotated[list[str], typer.Option("--set", help="a setting, as name=value; repeatable")]
Cases = Annotated[str, typer.Option(help="folder, .jsonl, .jsonl.gz or .zip of phenopackets")]
Events = Annotated[str, typer.Option(help="Parquet file of access events")]
Platforms = Annotated[int, typer.Option(min=2, max=64, help="platforms that share one collection")]
PerPlatform = Annotated[int, typer.Option(min=1, help="people of a SIMULATED platform")]
HistoryDays = Annotated[float, typer.Option(min=1, help="days of access history that are used")]
Seed = Annotated[int, typer.Option(min=0, help="of everything drawn or trained")]
AsOf = Annotated[str, typer.Option(help="end of the period, ISO 8601; default: today, 0:00 UTC")]
NoAgreement = Annotated[
    list[str], typer.Option(help="a linked platform without agreement; default: the last one")
]

AtRisk = Annotated[
    list[str],
    typer.Option(
        help="population at risk of a platform, as NAME=PERSON_YEARS; repeatable; "
        "default: person_years_at_risk of the settings"
    ),
]

ModelName = Annotated[str, typer.Option("--name", help="of the image model")]
Version = Annotated[str, typer.Option(help="number, or 8 or more characters of the digest")]
By = Annotated[str, typer.Option(help="who decides; kept in the history")]
Reason = Annotated[str, typer.Option(help="why; shown in the list")]


def console(*, stderr: bool = False) -> Console:
    """Return a console that stays readable where there is no terminal, and reads no markup."""
    plain = Console(stderr=stderr, markup=False)
    if not plain.is_terminal:
        plain.width = max(plain.width, WIDTH_MIN)
    return plain


def table(*heads: str, title: str = "") -> Table:
    """Return a table whose cells are folded where they are long, never cut."""
    made = Table(title=literal(title, style="table.title") if title else None)
    for head in heads:
        made.add_column(head, overflow="fold")
    return made


def run_job(main: Callable[..., None]) -> None:
    """Run a job's command; an error is one line and an exit code, not a stack.

    Exit codes: 0 done, 2 the input is at fault, 1 the machine or the program is.
    """
    try:
        typer.run(main)
    except DazzleError as error:
        told = getattr(error, "cause", error)  # an error of an actor comes with its stack around it
        console(stderr=True).print(literal(str(told), style="red"), soft_wrap=True)
        raise SystemExit(EXIT_INPUT if isinstance(error, InputError) else EXIT_FAULT) from None
    except OSError as error:
        text = f"{type(error).__name__}: {error.strerror or error} ({error.filename})"
        told = f"{text}. Make room or name another place."
        console(stderr=True).print(literal(told, style="red"), soft_wrap=True)
        raise SystemExit(EXIT_FAULT) from None


def settings_from(pairs: list[str]) -> Settings:
    """Read settings from the environment and ``name=value`` pairs.

    Raises:
        InputError: a pair has no ``=``.
        SettingInvalid: a name is unknown or a value is out of range.
    """
    return load_settings(pairs_of(pairs))


def pairs_of(pairs: list[str]) -> dict[str, str]:
    """Read ``name=value`` pairs.

    Raises:
        InputError: a pair has no ``=``.
    """
    broken = [pair for pair in pairs if "=" not in pair]
    if broken:
        what = f"{broken[0]!r} is not name=value"
        raise InputError(what, "--set", "Write --set incidence_preset_per_100k=0.5, for example.")
    return dict(pair.split("=", 1) for pair in pairs)


def bound_from(pairs: Sequence[str]) -> dict[str, str]:
    """Read ``CLASS=ID`` pairs, the disease of each class of an image model.

    Raises:
        InputError: a pair is not of this form, or binds a class twice.
    """
    bound: dict[str, str] = {}
    for pair in pairs:
        label, equals, disease = pair.rpartition("=")
        if not equals or not label or label in bound:
            what = f"{pair[:80]!r} is not CLASS=ID, each class once"
            raise InputError(what, "--bind", "Write --bind pneumonia=MONDO:0005249, for example.")
        bound[label] = disease.strip()
    return bound


def check_labels(labels: Sequence[str], option: str) -> None:
    """Look at the classes of an image model before the work begins.

    Raises:
        InputError: the list of models would refuse the name of a class.
    """
    for fault in label_faults(labels):
        what = f"class {fault.at + 1}, {labels[fault.at][:80]!r}: the label {fault.reason}"
        raise InputError(what, option, "Name the class otherwise, and give the set again.")


def text_of(path: Path, option: str) -> str:
    """Read a text that an option names.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"{path} cannot be read ({type(error).__name__})"
        raise InputError(what, option, "Name a file of text.") from None


def out_file(path: Path) -> Path:
    """Check that a file can be written before the work that it is for begins.

    Raises:
        InputError: there is a folder of this name, or the folder of the file cannot be made.
    """
    if path.is_dir():
        what = f"{path} is a folder"
        raise InputError(what, "--out", "Name a file.")
    out_folder(path.parent)
    return path


def out_folder(path: Path) -> Path:
    """Make a folder before the work that it is for begins.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{path} cannot be made ({type(error).__name__})"
        raise InputError(what, "--out", "Name another place.") from None
    return path


def range_of(option: str, text: str) -> tuple[float | None, float | None]:
    """Read ``low-high``; either end may be left out.

    Raises:
        InputError: it is no range of numbers.
    """
    low, dash, high = text.partition("-")
    try:
        ends = tuple(float(end) if end else None for end in (low, high))
    except ValueError:
        ends = ()
    if text and (not ends or not dash):
        what = f"{text!r} is not a range"
        raise InputError(what, option, "Write 0-18, 18- or -18, for example.")
    return (ends[0], ends[1]) if text else (None, None)


def checked(model: type[M], **fields: object) -> M:
    """Make a message of fields that a user has given.

    Raises:
        InputError: a field is out of its bounds.
    """
    try:
        return model(**fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InputError(first["msg"], ".".join(map(str, first["loc"]))) from None


def plan_from(
    *,
    out: Path,
    cases: str,
    events: str,
    platforms: int,
    cases_per_platform: int,
    history_days: float,
    seed: int,
    as_of: str,
    no_agreement: list[str],
    settings: Settings,
    at_risk: Sequence[str] = (),
) -> FlowPlan:
    """Make the plan that the options ask for.

    Raises:
        InputError: the date or a population at risk cannot be read.
    """
    today = SystemClock().now() // DAY_S * DAY_S
    try:
        end = parse_iso(as_of) if as_of else today
    except ValueError:
        what = f"{as_of!r} is not a date"
        raise InputError(what, "--as-of", f"Write {iso(today)}, for example.") from None
    return FlowPlan(
        run=out.name,
        cases=str(Path(cases).resolve()) if cases else SIMULATED,
        events=str(Path(events).resolve()) if events else SIMULATED,
        as_of=end,
        history_days=history_days,
        seed=seed,
        platforms=platforms,
        cases_per_platform=cases_per_platform,
        no_agreement=tuple(no_agreement),
        settings=settings.texts(),
        at_risk=person_years_of(at_risk),
    )


def person_years_of(pairs: Sequence[str]) -> dict[str, float]:
    """Read ``name=person-years`` pairs.

    Raises:
        InputError: a pair is not of this form, names a platform twice, or has no number from 0 on.
    """
    found: dict[str, float] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        try:
            years = float(number)
        except ValueError:
            years = math.nan
        if not name or name in found or not 0 <= years < math.inf:
            what = f"{pair!r} is not name=person-years, each name once"
            raise InputError(what, "--at-risk", "Write --at-risk platform-1=2500000, for example.")
        found[name] = years
    return found


def planned(work: Callable[[Path, FlowPlan, Settings], None]) -> Callable[..., None]:
    """Make a command that takes the options of a plan out of what is done with the plan."""

    def main(
        out: Out,
        cases: Cases = "",
        events: Events = "",
        platforms: Platforms = 4,
        cases_per_platform: PerPlatform = 400,
        history_days: HistoryDays = 120,
        seed: Seed = 1,
        as_of: AsOf = "",
        no_agreement: NoAgreement = [],  # noqa: B006 - typer copies it
        at_risk: AtRisk = [],  # noqa: B006 - typer copies it
        settings: Set = [],  # noqa: B006 - typer copies it
    ) -> None:
        chosen = settings_from(settings)
        plan = plan_from(
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
            at_risk=at_risk,
        )
        work(out, plan, chosen)

    return main


def show_result(out: Path, result: FlowResult) -> None:
    """Write a run's result and report into its folder, and print the summary."""
    write_durably(out / RESULT, result.model_dump_json(indent=1).encode())
    write_durably(out / "report.html", render_report(result).encode())
    screen = console()
    render_summary(result, screen)
    for name in (RESULT, "report.html"):
        screen.print(str(out / name), highlight=False, soft_wrap=True)


def show_version(model: ListedModel) -> None:
    """Say how a version of an image model stands."""
    serves = ", serves" if model.serving else ""
    said = f"{model.name} {model.number} ({model.version[:DIGEST_CHARS]}): {model.state}{serves}"
    console().print(literal(said), soft_wrap=True)


@contextmanager
def shown_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each step; plain lines where there is no terminal."""
    screen = console()
    if not screen.is_terminal:
        yield (
            lambda step, done, total: (
                screen.print(f"{step:<10} {total}/{total}") if done == total else None
            )
        )
        return
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), Elapsed())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=screen) as progress:

        def tell(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done, total=total)

        yield tell
