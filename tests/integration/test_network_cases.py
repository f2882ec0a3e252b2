"""The rare cases of a disease are asked of real platform actors, side by side (C8)."""

import json
from pathlib import Path
from typing import Any

import pytest
import ray
from builders import a_phenopacket, a_plan
from pydantic import SecretStr

from actors.flow import Run
from actors.network import start_network
from actors.platform import start_platform
from actors.session import Session
from actors.supervisor import start_supervisor
from actors.upkeep import cases_of_disease
from cluster.contracts.ingest import Source
from cluster.contracts.peers import PeerCard, Remote
from cluster.contracts.related import DiseaseQuestion
from cluster.contracts.sharing import Peer, PlatformProfile
from cluster.errors import NotFound
from cluster.flow.screening import AtRisk
from cluster.screening.priors import KNOWN_NOTHING
from cluster.settings import Settings

PRESETS: dict[str, Any] = {"first_screening_share": 1.0, "incidence_preset_per_100k": 10.0}
NAMES = ("north", "south")
QUESTION = DiseaseQuestion(disease_id="OMIM:154700", name="Marfan", codes=("OMIM:154700",))


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_platform_that_fails_is_named(ray_cluster: None, tmp_path: Path) -> None:
    """C8: each answers for itself; one that is away, and one nobody knows, are no empty answers."""
    settings = Settings(data_dir=tmp_path / "data", **PRESETS)
    network, supervisor = start_network(settings), start_supervisor(settings)
    actors = {name: start_platform(name, settings) for name in NAMES}
    try:
        for name, actor in actors.items():
            profile = PlatformProfile(platform_id=name, person_years_at_risk=1e6)
            ray.get(network.register.remote(profile, "00"))
            file = tmp_path / f"{name}.jsonl"
            file.write_text(json.dumps(a_phenopacket(f"{name}-1", disease="MIM:154700")) + "\n")
            ray.get(actor.ingest.remote(Source(files=(str(file),))))
            ray.get(actor.screen.remote(AtRisk(1e6, "stated"), KNOWN_NOTHING, None))
            others = {*NAMES, "west", "far"} - {name}
            ray.get(actor.set_peers.remote([_peer(one) for one in sorted(others)]))
        url = "http://127.0.0.1:9/share/v1"  # where nobody listens
        card = PeerCard(platform_id="west", url=url, public_key="0" * 64)
        ray.get(network.put_remote.remote(Remote(card=card, token=SecretStr("t"))))
        session = Session(settings, supervisor, network, None, None, actors)
        run = Run(a_plan(), {}, session, lambda *_: None)
        told = cases_of_disease(run, "north", QUESTION)
        assert {name: len(one.items) for name, one in told.found.items()} == {
            "north": 1,
            "south": 1,
        }
        assert told.unanswered == {"far": "it is not known here", "west": "peer_unreachable"}
        with pytest.raises(NotFound, match="no platform nowhere"):
            cases_of_disease(run, "nowhere", QUESTION)
    finally:
        for actor in (supervisor, network, *actors.values()):
            ray.kill(actor)


def _peer(name: str) -> Peer:
    return Peer(peer_id=name, linked=True, agreed=True, public_key="00", policy_epoch=1)
