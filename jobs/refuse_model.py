"""python -m jobs.refuse_model --name NAME --version 2 …    refuses one for good

Its files are never offered, and the version stays in the list of the operators (C9).
"""

from actors.registry import RegistryService
from actors.registry_calls import ask_registry
from jobs import shell


def main(
    name: shell.ModelName,
    version: shell.Version,
    by: shell.By,
    reason: shell.Reason,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    asked = (name, version, by, reason)
    shell.show_version(
        ask_registry(shell.settings_from(settings), RegistryService.refuse_image, *asked)
    )


if __name__ == "__main__":
    shell.run_job(main)
