"""python -m jobs.roll_back_model --name NAME --version 1 …    lets an earlier version serve

Versions that are newer stay published; the next one that is published serves again (C4).
"""

from actors.registry import RegistryService
from actors.registry_calls import ask_registry
from jobs import shell


def main(
    name: shell.ModelName,
    version: shell.Version,
    by: shell.By,
    reason: shell.Reason = "",
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    asked = (name, version, by, reason)
    shell.show_version(
        ask_registry(shell.settings_from(settings), RegistryService.serve_image, *asked)
    )


if __name__ == "__main__":
    shell.run_job(main)
