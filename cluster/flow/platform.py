"""One sharing platform: its ledger, its index, its keys, and what they are read with."""

from dataclasses import dataclass
from pathlib import Path

from cluster.clock import Clock
from cluster.ids import checked_platform_id, pseudonym
from cluster.ontology import Ontology
from cluster.retrieval.index import CaseIndex
from cluster.settings import Settings
from cluster.storage import tables
from cluster.storage.keys import PlatformKeys, load_keys
from cluster.storage.ledger import Ledger


@dataclass(frozen=True)
class Platform:
    """What every step of a platform works on; one process has it open for writing."""

    platform_id: str
    ledger: Ledger
    index: CaseIndex
    ontology: Ontology
    keys: PlatformKeys
    settings: Settings
    clock: Clock

    def shared_id(self, case_id: str, audience: str) -> str:
        """Name a case for one audience, in a way that only this platform can undo."""
        return f"{self.platform_id}.{pseudonym(self.keys.pseudonym_key, audience, case_id)}"


def platform_folder(data_dir: Path, platform_id: str) -> Path:
    """Return the folder that holds everything of a platform."""
    return data_dir / "platforms" / checked_platform_id(platform_id)


def open_platform(
    platform_id: str, index: CaseIndex, ontology: Ontology, settings: Settings, clock: Clock
) -> Platform:
    """Open a platform's ledger and keys beside an index."""
    folder = platform_folder(settings.data_dir, platform_id)
    ledger = Ledger(folder / "ledger.sqlite", tables.PLATFORM)
    keys = load_keys(folder / "keys")
    return Platform(platform_id, ledger, index, ontology, keys, settings, clock)
