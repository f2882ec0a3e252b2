"""Who answers as a Beacon."""

from importlib.metadata import version

from cluster.settings import Settings
from cluster.standards.beacon.framework import BeaconIdentity


def beacon_identity(settings: Settings) -> BeaconIdentity:
    """Return who answers, as the settings say."""
    return BeaconIdentity(
        id=settings.beacon_id,
        name=settings.organisation,
        environment=settings.environment,
        organisation_id=settings.beacon_id,
        organisation_name=settings.organisation,
        base_url=f"{settings.public_url.rstrip('/')}/beacon",
        software_version=version("dazzle"),
    )
