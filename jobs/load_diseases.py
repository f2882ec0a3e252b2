"""python -m jobs.load_diseases --file PATH        loads the disease database

A .jsonl or .jsonl.gz with one record a line, here or at diseases_path. It serves once it is read
whole; until then, and where it cannot be used, the one before serves. The same file changes nothing
(C8).
"""

from pathlib import Path
from typing import Annotated

import typer

from actors.registry import RegistryService
from actors.registry_calls import ask_registry
from cluster.contracts.disease import DiseaseCard
from cluster.errors import InputError
from cluster.report.text import literal
from cluster.storage.diseases import read_file
from jobs import shell

FINDINGS_SHOWN = 10
DIGEST_CHARS = 16


def main(
    file: Annotated[Path | None, typer.Option(help="the records; default: diseases_path")] = None,
    date: Annotated[
        list[str],
        typer.Option(help="release of a source, as SOURCE=DATE; repeatable; shown with each text"),
    ] = [],  # noqa: B006 - typer copies it
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    path = file or (Path(chosen.diseases_path) if chosen.diseases_path else None)
    if path is None:
        what = "no file of disease records is named"
        raise InputError(what, "--file", "Give --file, or --set diseases_path=PATH.")
    dates = dates_of(date)
    asked = (read_file(path), path.name, dates)
    show(ask_registry(chosen, RegistryService.load_diseases, *asked))


def dates_of(pairs: list[str]) -> dict[str, str]:
    dates = {}
    for pair in pairs:
        source, _, day = pair.rpartition("=")
        if not source.strip() or not day.strip():
            what = f"{pair!r} is not SOURCE=DATE"
            raise InputError(what, "--date", "Write --date Orphanet=2026-06-23, for example.")
        dates[source.strip()] = day.strip()
    return dates


def show(card: DiseaseCard) -> None:
    screen = shell.console()
    counts = ", ".join(f"{n:,} {code}" for code, n in card.by_code.items()) or "none"
    said = (
        f"{card.name} ({card.digest[:DIGEST_CHARS]}) serves: {card.records:,} diseases, "
        f"{card.refused:,} lines refused; findings: {counts}"
    )
    screen.print(literal(said), soft_wrap=True)
    for finding in card.findings[:FINDINGS_SHOWN]:
        told = f"  line {finding.line}, {finding.code}: {finding.message}"
        screen.print(literal(told), soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
