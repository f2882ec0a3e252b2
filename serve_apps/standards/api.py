"""Front doors of the field's standards, and the signs of life of the whole."""

from fastapi import APIRouter

from serve_apps.http.application import router
from serve_apps.standards.beacon import add_beacon
from serve_apps.standards.mme import add_mme
from serve_apps.standards.ports import StandardsPorts


def routes(ports: StandardsPorts) -> APIRouter:
    """Return the routes over a cluster."""
    made = router("")
    _add_signs(made, ports)
    add_mme(made, ports)
    add_beacon(made, ports)
    return made


def _add_signs(made: APIRouter, ports: StandardsPorts) -> None:
    @made.get("/healthz")
    async def healthy() -> dict[str, str]:
        """Say that the process answers."""
        return {"state": "alive"}

    @made.get("/readyz")
    async def ready() -> dict[str, str]:
        """Say that the cluster's actors answer too; else 503."""
        await ports.network.tags()
        return {"state": "ready"}
