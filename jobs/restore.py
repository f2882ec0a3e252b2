"""python -m jobs.restore --backup FOLDER --set data_dir=NEW   restores a checked backup

Nothing runs on the data folder meanwhile; the indexes are made anew when the platforms start (B3).
"""

from pathlib import Path
from typing import Annotated

import typer

from cluster.storage.backup import BLOBS, copy_all, restore
from cluster.storage.blobs import BlobStore
from jobs import shell


def main(
    backup: Annotated[Path, typer.Option(help="folder of the backup")],
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    files = restore(backup, chosen.data_dir)
    if chosen.blob_uri:
        copy_all(BlobStore(str(chosen.data_dir / BLOBS)), BlobStore.of(chosen))
    shell.console().print(f"{files} files restored to {chosen.data_dir}")


if __name__ == "__main__":
    shell.run_job(main)
