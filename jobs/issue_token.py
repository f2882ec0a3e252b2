"""python -m jobs.issue_token --role ROLE --holder WHO [--platform P] [--days N]   a token for HTTP

Roles: operator, platform, clinician, scientist. Without --platform it is one of the whole cluster.
The token is shown this once; DELETE /share/v1/tokens/KID ends it.
"""

from typing import Annotated

import ray
import typer

from actors.network import start_network
from actors.session import connected
from cluster.authorisation.roles import Role
from cluster.authorisation.tokens import DAYS_MAX, TokenIssued, TokenOrder
from cluster.clock import iso
from jobs import shell


def main(
    role: Annotated[Role, typer.Option(help="what it may do")],
    holder: Annotated[str, typer.Option(help="who gets it")],
    platform: Annotated[str, typer.Option(help="whose it is; default: the whole cluster's")] = "",
    days: Annotated[float, typer.Option(help="how long it lives")] = DAYS_MAX,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    order = shell.checked(TokenOrder, role=role, holder=holder, platform=platform, days=days)
    with connected():
        made: TokenIssued = ray.get(start_network(chosen).issue_token.remote(order))
    until = iso(made.card.expires_at)
    shell.console().print(f"{made.token}  ({role}, good until {until})", soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)
