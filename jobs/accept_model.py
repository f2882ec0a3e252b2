"""python -m jobs.accept_model --name NAME --version 2 …    publishes a model that waits

It serves from then on, unless a newer version of the name does (C9).
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
        ask_registry(shell.settings_from(settings), RegistryService.accept_image, *asked)
    )


if __name__ == "__main__":
    shell.run_job(main)
