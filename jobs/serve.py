"""python -m jobs.serve [--port 8000] [--fast]      starts the services on this machine

Starts a cluster, the actors of the platforms in the data folder and all applications, and shows a
token for an operator, once; it is good for a day. Ends with Ctrl-C. --fast puts HAProxy before the
replicas, which then listen on every interface: only behind a firewall. On a cluster that runs
already: serve deploy serve_apps/config.yaml
"""

import signal
from typing import Annotated

import typer

from jobs import shell
from serve_apps.http.serving import HOST, TOKEN_FOLLOWS, served
from serve_apps.places import places


def main(
    port: Annotated[int, typer.Option(min=1, max=65535, help="of HTTP")] = 8000,
    fast: Annotated[bool, typer.Option("--fast", help="HAProxy, on every interface")] = False,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    screen = shell.console()
    chosen = shell.settings_from(settings)
    if "public_url" not in chosen.model_fields_set:
        chosen = chosen.model_copy(update={"public_url": f"http://{HOST}:{port}"})
    with served(chosen, places(), port, fast=fast) as issued:
        for place in places():
            screen.print(f"http://{HOST}:{port}{place.prefix}", highlight=False, soft_wrap=True)
        screen.print(TOKEN_FOLLOWS, highlight=False)
        screen.print(issued.token, highlight=False, soft_wrap=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    shell.run_job(main)
