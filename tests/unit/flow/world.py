"""Platforms with real ledgers in a folder, a clock that stands, and a courier between them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from builders import MemoryIndex, a_phenopacket, a_small_ontology

from cluster.clock import ManualClock
from cluster.contracts.access import EVENTS
from cluster.contracts.ingest import IngestReport, Source
from cluster.contracts.related import RelatedAnswers
from cluster.contracts.sharing import (
    DecisionRecord,
    DeliveryStatus,
    Envelope,
    Peer,
    Receipt,
    Refusal,
    Settlement,
)
from cluster.contracts.trend import Prediction
from cluster.flow import cases, decisions, deliveries, projection, related, screening
from cluster.flow.platform import Platform, open_platform
from cluster.flow.screening import AtRisk
from cluster.retrieval.literature import LiteratureSource, ask
from cluster.settings import Settings
from cluster.storage import journal

NOW = 1_750_000_000.0
AT_RISK = AtRisk(1e6, "stated")
PRESETS: dict[str, Any] = {
    "first_screening_share": 1.0,
    "incidence_preset_per_100k": 10.0,
    "user_events_max": 1_000_000,
    "platform_share_max": 1.0,
}
ONTOLOGY = a_small_ontology()


def open_at(folder: Path, name: str = "north", *, at: float = NOW, **presets: Any) -> Platform:
    """Open a platform in a folder, with presets under which all is rare and nothing is capped."""
    settings = Settings(data_dir=folder, **(PRESETS | presets))
    return open_platform(name, MemoryIndex(), ONTOLOGY, settings, ManualClock(at))


def reopened(platform: Platform) -> Platform:
    """Close the ledger as a dying process does, and open it again beside the same index."""
    platform.ledger.close()
    again = open_platform(
        platform.platform_id,
        platform.index,
        platform.ontology,
        platform.settings,
        platform.clock,
    )
    projection.project(again)
    return again


def a_source(folder: Path, *packets: object, name: str = "cases") -> Source:
    """Write one record a line; what is bytes or text goes in as it is."""
    path = folder / f"{name}.jsonl"
    lines = [packet if isinstance(packet, str) else json.dumps(packet) for packet in packets]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return Source(files=(str(path),))


def take_in(platform: Platform, *packets: object, name: str = "cases") -> IngestReport:
    """Ingest records from a file of the platform's own, and screen."""
    folder = platform.settings.data_dir / "sources" / platform.platform_id
    report = cases.ingest(platform, a_source(folder, *packets, name=name))
    screening.screen_cases(platform, AT_RISK)
    return report


def a_prediction(case_id: str, index: float, version: str = "m1") -> Prediction:
    """Return what a model says of a case."""
    return Prediction(
        item_id=case_id,
        sample_id=f"{case_id}@now",
        model_version=version,
        index=index,
        log_growth=1.0,
        clicks=1.0,
        usages=0.5,
        inputs_digest="ff",
    )


def decide(
    platform: Platform,
    first: dict[str, float],
    second: dict[str, float] | None = None,
    *,
    peers: Sequence[Peer] = (),
    as_of: float = NOW,
) -> dict[str, DecisionRecord]:
    """Decide with these indexes; returns the period's decisions by case."""
    made = decisions.decide(
        platform,
        as_of,
        [a_prediction(i, index) for i, index in first.items()],
        [a_prediction(i, index, "m2") for i, index in (second or {}).items()],
        peers,
    )
    return {record.case_id: record for record in made}


def an_event(
    event_id: str, case_id: str, at: float, kind: str = "view", **more: Any
) -> dict[str, Any]:
    """Return one access event as a row of ``EVENTS``."""
    row = {
        "event_id": event_id,
        "case_id": case_id,
        "kind": kind,
        "at": at,
        "platform": "north",
        "user": "u1",
        "parent_id": None,
    }
    return row | more


def event_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return rows as a table of ``EVENTS``."""
    return pa.Table.from_pylist(list(rows), schema=EVENTS)


def read(platform: Platform, sql: str) -> list[tuple[Any, ...]]:
    """Ask the ledger directly."""
    with platform.ledger.begin() as tx:
        return [tuple(row) for row in tx.exec_driver_sql(sql).all()]


def audit_actions(platform: Platform) -> list[str]:
    """Return the actions of the audit chain, once the chain is checked to be whole."""
    with platform.ledger.begin() as tx:
        assert journal.first_broken_audit_row(tx) is None
    return [json.loads(row)["action"] for (row,) in read(platform, "SELECT row FROM audit")]


def held(platform: Platform) -> list[tuple[str, str]]:
    """Return (origin, id) of the cases that a platform got from others."""
    own = platform.platform_id
    found = read(platform, "SELECT origin, case_id FROM cases ORDER BY origin, case_id")
    return [(str(origin), str(case_id)) for origin, case_id in found if origin != own]


def settlement(envelope: Envelope, answer: Receipt | Refusal | None) -> Settlement:
    """Return what a courier brings home."""
    return Settlement(
        delivery_id=envelope.delivery_id,
        epoch=envelope.epoch,
        receipt=answer if isinstance(answer, Receipt) else None,
        refusal=answer if isinstance(answer, Refusal) else None,
    )


@dataclass
class World:
    """Several platforms under one clock; all are linked, some have an agreement."""

    folder: Path
    presets: dict[str, Any] = field(default_factory=dict)
    platforms: dict[str, Platform] = field(default_factory=dict)
    agreed: set[frozenset[str]] = field(default_factory=set)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    epoch: int = 0

    def add(self, name: str, *packets: object) -> Platform:
        """Open a platform with cases."""
        platform = replace(open_at(self.folder, name, **self.presets), clock=self.clock)
        self.platforms[name] = platform
        if packets:
            take_in(platform, *packets)
        return platform

    def agree(self, *pairs: tuple[str, str]) -> None:
        """Replace the agreements, which hold both ways, and tell every platform."""
        self.agreed = {frozenset(pair) for pair in pairs}
        self.epoch += 1
        for name, platform in self.platforms.items():
            decisions.take_over_peers(platform, self.peers(name))

    def peers(self, name: str) -> list[Peer]:
        """Return the others as one platform sees them."""
        return [
            Peer(
                peer_id=other,
                linked=True,
                agreed=frozenset((name, other)) in self.agreed,
                public_key=platform.keys.public_key,
                policy_epoch=self.epoch,
                mix=cases.category_mix(platform),
            )
            for other, platform in sorted(self.platforms.items())
            if other != name
        ]

    def decide(
        self, name: str, first: dict[str, float], *, as_of: float | None = None
    ) -> dict[str, DecisionRecord]:
        """Decide on one platform."""
        end = self.clock.now() if as_of is None else as_of
        return decide(self.platforms[name], first, peers=self.peers(name), as_of=end)

    def claim(self, name: str, owner: str = "courier") -> list[Envelope]:
        """Claim everything that is due on one platform."""
        return deliveries.claim(self.platforms[name], owner, 100)

    def receive(self, envelope: Envelope) -> Receipt | Refusal:
        """Bring one envelope to its receiver."""
        (answer,) = deliveries.receive(self.platforms[envelope.receiver], [envelope])
        return answer

    def deliver(self) -> None:
        """Carry until every outbox is settled; the clock goes on where one has to wait."""
        for name, platform in self.platforms.items():
            while (due := deliveries.next_due_at(platform)) is not None:
                self.clock.instant = max(self.clock.instant, due)
                for envelope in self.claim(name):
                    answer = self.receive(envelope)
                    deliveries.settle(platform, [settlement(envelope, answer)])

    def refresh(self, *sources: LiteratureSource, names: Mapping[str, str] | None = None) -> int:
        """Renew the related material of every platform; returns what was new or changed."""
        pushed, now = 0, self.clock.now()
        for name, home in self.platforms.items():
            asked = related.due_questions(home, now, [source.name for source in sources])
            network = {
                other: related.find_related(self.platforms[other], name, queries)
                for other, queries in asked.network.items()
                if queries and other in self.platforms
            }
            literature = {
                one.name: ask(one, asked.literature[one.name], names or {}, 20)[0]
                for one in sources
            }
            if any(asked.network.values()) or any(asked.literature.values()):
                answers = RelatedAnswers.model_validate(
                    {
                        "network": network,
                        "literature": literature,
                        "sources": tuple(asked.literature),
                    }
                )
                pushed += related.store_related(home, now, answers)
        return pushed

    def statuses(self, name: str) -> list[DeliveryStatus]:
        """Return a platform's outbox."""
        return deliveries.statuses(self.platforms[name])


def a_pair(folder: Path, **presets: Any) -> World:
    """Return north, which has cases a and b, and south, which has s; they have an agreement."""
    world = World(folder, presets)
    world.add("north", a_phenopacket("a"), a_phenopacket("b", observed=("HP:0001627",)))
    world.add("south", a_phenopacket("s", observed=("HP:0002069",)))
    world.agree(("north", "south"))
    return world
