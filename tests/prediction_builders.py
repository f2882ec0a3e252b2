"""A cluster that predicts, in this process: a small trend model, a platform, SIMULATED accesses."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from actors.registry import RegistryService
from actors.trend import TrendService
from cluster.clock import DAY_S, ManualClock
from cluster.contracts.prediction import CountedItem
from cluster.contracts.trend import TrendCard
from cluster.flow.screening import AtRisk
from cluster.ids import canonical_json
from cluster.screening.priors import KNOWN_NOTHING
from cluster.storage.blobs import BlobStore
from cluster.storage.trend_serving import TrendServing, TrendServingReader
from cluster.trend.artefact import load, save
from cluster.trend.counted import counted, windows_of
from cluster.trend.fit import FitConfig
from cluster.trend.network import TrendNetworkConfig
from cluster.trend.publish import fit
from serve_apps.prediction.models import Models
from tests.builders import TERM_IDS, a_phenopacket
from tests.http_builders import Local, LocalCluster, quick
from tests.unit.trend.access_windows import with_column

NOW = 1_750_000_000.0
PERIOD_DAYS = 28.0
"""Of a platform with few visits, by the default settings."""
N_CASES = 12
CONFIG = FitConfig(
    network=TrendNetworkConfig(width=8, depth=1),
    epochs_max=3,
    epoch_windows_min=200,
    batch_size=64,
    lr=1e-2,
)


def some_items(n: int, seed: int = 0) -> list[CountedItem]:
    """Draw items; some have no access yet, of some little is known."""
    rng = np.random.default_rng(seed)
    made: list[CountedItem] = []
    for number in range(n):
        rate = 0.0 if number % 7 == 3 else float(np.exp(rng.normal(1.0, 1.0)))
        clicks, usages = rng.poisson(rate, 8), rng.poisson(rate * 0.4, 8)
        item: CountedItem = {
            "id": f"item-{number}",
            "clicks": clicks.tolist(),
            "usages": usages.tolist(),
            "first_access": None,
        }
        if (clicks + usages).any():
            item["first_access"] = NOW - float(rng.uniform(4, 100)) * DAY_S
            item["propagation"] = round(float(rng.random()), 6)
        if number % 5:
            item["elsewhere"] = np.minimum(rng.poisson(rate * 0.5, 8), clicks + usages).tolist()
        made.append(item)
    return made


@cache
def a_first_model() -> tuple[bytes, TrendCard]:
    """Train a small model on windows of a platform."""
    n = 240
    windows = windows_of(counted(some_items(n, seed=9), NOW, PERIOD_DAYS))
    rng = np.random.default_rng(1)
    last = [
        sum(clicks) * float(rng.lognormal(0.0, 0.5)) for clicks in windows["clicks"].to_pylist()
    ]
    ids: list[object] = [f"item-{number}" for number in range(n)]
    days: list[object] = rng.uniform(3.0, 4.0, n).tolist()
    told = {"fut_total": list(map(round, last)), "bin_days": days}
    for name, values in {"sample_id": ids, "item_id": ids, **told}.items():
        windows = with_column(windows, name, list(values))
    return fit(windows, CONFIG, "digest")


def another_model(role: str, **changes: Any) -> tuple[bytes, TrendCard]:
    """Return a model like the first, of another role, seed or parent."""
    content, card = a_first_model()
    model = load(content)
    profile = model.profile.model_copy(update={"role": role, **changes})
    written = save(model.trainable_network(), profile)
    told = {"version": load(written).version, "role": role, **changes}
    return written, card.model_copy(update=told)


class PredictionCluster(LocalCluster):
    """Services of one data folder, with those that predict."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            quick(
                folder,
                first_screening_share=1.0,
                incidence_preset_per_100k=10.0,
                platform_share_max=1.0,
            )
        )
        self.registry_service = RegistryService(self.settings)
        self.trend_service = TrendService(self.settings)
        self.trend: Any = Local(self.trend_service)
        self.models = Models(BlobStore.of(self.settings))
        self.clock = ManualClock(NOW)
        self._reader = TrendServingReader(self.settings.data_dir)

    def close(self) -> None:
        self.registry_service.close()
        super().close()

    def serving(self) -> TrendServing:
        return self._reader.serving()

    async def add_platform(self, name: str) -> pa.Table:
        """Start a platform of rare cases; returns the accesses that it has recorded."""
        where = await self.start_platform(name)
        service, rng = self.services[name], np.random.default_rng(4)
        for number in range(N_CASES):
            packet = a_phenopacket(
                f"case-{number}", (TERM_IDS[number % len(TERM_IDS)],), disease=f"OMIM:{number}"
            )
            await where.add_case(canonical_json(packet).encode(), "test", "")
        service.screen(AtRisk(1e6, "stated"), KNOWN_NOTHING, None)
        rows = [
            {
                "event_id": f"e{number}",
                "case_id": f"case-{case}",  # the last has none; every other one is new
                "kind": str(rng.choice(["view", "download", "share"])),
                "at": NOW - float(rng.uniform(0, 15 if case % 2 else 40)) * DAY_S,
                "platform": str(rng.choice([name, "elsewhere"])),
                "user": f"u{number}",
                "parent_id": None,
            }
            for number, case in enumerate(rng.integers(N_CASES - 1, size=300).tolist())
        ]
        events = pa.Table.from_pylist(rows)
        service.record_events(events)
        return events
