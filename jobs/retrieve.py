"""python -m jobs.retrieve --index PATH --queries Q.jsonl --out P.jsonl   answers from files

Each query is one phenopacket a line, of which only the terms are used; each answer is one JSON
object a line, in the same order, with ranked cases and diseases. It is the search of a platform,
without a cluster (S400).
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from cluster.errors import InputError
from cluster.flow.retrieval import files_platform, read_queries, retrieve, unmatched
from cluster.report.text import literal
from cluster.storage.files import write_durably
from jobs import shell

K_MAX = 10_000
LEFT_OUT = TypeAdapter(dict[str, list[str]])


def main(
    index: Annotated[list[Path], typer.Option(help="phenopackets; repeatable")],
    queries: Annotated[Path, typer.Option(help="phenopackets, one a line")],
    out: Annotated[Path, typer.Option(help="answers, one a line")],
    k: Annotated[int, typer.Option(help="cases and diseases of an answer at the most")] = 200,
    leave_out: Annotated[
        Path | None, typer.Option(help="JSON: by query id, publications that do not count")
    ] = None,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    if not 1 <= k <= K_MAX:
        what = f"k is {k}"
        raise InputError(what, "--k", f"Ask for 1 to {K_MAX}.")
    shell.out_file(out)
    left_out = read_left_out(leave_out) if leave_out else {}
    asked = list(read_queries(queries))
    answers, remarks = [], []
    with (
        shell.shown_progress() as progress,
        files_platform(index, shell.settings_from(settings)) as (platform, report),
    ):
        progress("ingest", report.added, report.added)
        for number, record in enumerate(asked, start=1):
            answers.append(retrieve(platform, record, k, left_out))
            progress("retrieve", number, len(asked))
        remarks += unmatched(platform, answers, left_out)
    write_durably(out, "".join(f"{json.dumps(answer)}\n" for answer in answers).encode())
    problems = [answer["problem"] for answer in answers if "problem" in answer]
    for remark in (*remarks, *problems[: shell.PROBLEMS_SHOWN]):
        shell.console(stderr=True).print(literal(remark, style="yellow"), soft_wrap=True)
    counted = f"{len(answers)} answers, {len(problems)} of them without a result, from"
    shell.console().print(f"{counted} {report.added} cases: {out}", highlight=False, soft_wrap=True)


def read_left_out(path: Path) -> dict[str, list[str]]:
    try:
        given = LEFT_OUT.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        what = f"{path} cannot be read ({type(error).__name__})"
        remedy = 'Write {"<query id>": ["PMID:1", ...]} as JSON.'
        raise InputError(what, "--leave-out", remedy) from None
    return {
        query: [f"PMID:{name}" if name.isdecimal() else name for name in names]
        for query, names in given.items()
    }


if __name__ == "__main__":
    shell.run_job(main)
