"""One sharing platform: its ledger, its index, its keys, and what they are read with."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cluster.access.history import AccessHistory
from cluster.clock import Clock
from cluster.ids import checked_platform_id, pseudonym
from cluster.ontology import Ontology
from cluster.retrieval.diagnosis import RankingModel
from cluster.retrieval.index import CaseIndex
from cluster.retrieval.search import CaseSearch
from cluster.settings import Settings
from cluster.storage import tables
from cluster.storage.keys import PlatformKeys, load_keys
from cluster.storage.ledger import Ledger
from cluster.storage.names import published_names
from cluster.storage.ranking import load_ranking


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

    @cached_property
    def searcher(self) -> CaseSearch:
        """Searches the index; what it has counted is kept until the index changes."""
        return CaseSearch(self.index, self.ontology)

    @cached_property
    def ranking(self) -> RankingModel:
        """Weights by which what is found is put in order."""
        return load_ranking(self.settings.ranking_path)

    @cached_property
    def names(self) -> Callable[[str], str]:
        """Gives the published name of a term or a disease by its id."""
        return published_names(self.settings.data_dir, self.ontology)

    @cached_property
    def history(self) -> AccessHistory:
        """Access events in memory: none before they are asked for, then those of the ledger."""
        return AccessHistory()

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
    ledger = Ledger(folder / "ledger.sqlite", tables.PLATFORM, tables.PLATFORM_MIGRATIONS)
    keys = load_keys(folder / "keys")
    return Platform(platform_id, ledger, index, ontology, keys, settings, clock)
