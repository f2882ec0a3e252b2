"""python -m jobs.load_test_patients --file F --platform P   test data of the Matchmaker Exchange

F is a list of patients in JSON, as servers of the exchange share them; each must say "test": true.
P becomes a platform of test data, which answers questions that say that they are tests and no
others; a platform of real cases is refused. Peers still need an agreement with P.
"""

from pathlib import Path
from typing import Annotated

import ray
import typer

from actors.network import start_network
from actors.platform import start_platform
from actors.session import connected
from cluster.contracts.sharing import PlatformProfile, PlatformTag
from cluster.errors import SourceUnreadable
from cluster.ids import canonical_json, checked_platform_id
from cluster.settings import Settings
from cluster.standards.mme.messages import Json
from cluster.standards.mme.patients import phenopackets_of
from cluster.storage.names import gene_symbols
from jobs import shell


def main(
    file: Annotated[Path, typer.Option(help="patients, as JSON")],
    platform: Annotated[str, typer.Option(help="platform of test data that gets them")],
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen, name = shell.settings_from(settings), checked_platform_id(platform)
    try:
        content = file.read_bytes()
    except OSError:
        what = "the file cannot be read"
        raise SourceUnreadable(what, str(file), "Give a file of patients.") from None
    packets, faults = phenopackets_of(content, gene_symbols(chosen.data_dir))
    with connected():
        add(chosen, name, packets)
    screen = shell.console()
    for fault in faults:
        screen.print(f"left out: {fault}", markup=False, soft_wrap=True)
    screen.print(f"{len(packets)} patients are test data of {name}")


def add(settings: Settings, name: str, packets: list[Json]) -> None:
    network, platform = start_network(settings), start_platform(name, settings)
    tags: list[PlatformTag] = ray.get(network.tags.remote())
    if name not in [tag.profile.platform_id for tag in tags if tag.profile.test]:
        profile = PlatformProfile(
            platform_id=name,
            kind="test data",
            person_years_at_risk=settings.person_years_at_risk,
            test=True,
        )
        ray.get(network.register.remote(profile, ray.get(platform.describe.remote())[0]))
    for packet in packets:
        document = canonical_json(packet).encode()
        ray.get(platform.add_case.remote(document, "operator", "", "share"))


if __name__ == "__main__":
    shell.run_job(main)
