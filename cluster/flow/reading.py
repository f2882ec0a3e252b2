"""A platform's cases, read beside the process that writes them (S400).

What is read may be some moments older than the ledger; consent and agreements are asked of the
platform itself wherever something leaves it.
"""

from dataclasses import dataclass
from functools import cached_property

from cluster.errors import NotFound
from cluster.flow.platform import platform_folder
from cluster.flow.search import search
from cluster.ontology import Ontology
from cluster.retrieval.diagnosis import RankingModel
from cluster.retrieval.index import CaseIndex
from cluster.retrieval.query import CaseQuery, SearchAnswer
from cluster.retrieval.search import CaseSearch
from cluster.settings import Settings
from cluster.storage.lance import LanceIndex
from cluster.storage.ontology import load_ontology
from cluster.storage.ranking import load_ranking


@dataclass(frozen=True)
class CaseReader:
    """The index of a platform, open for reading; a ``Searchable``."""

    platform_id: str
    index: CaseIndex
    ontology: Ontology
    ranking: RankingModel

    @cached_property
    def searcher(self) -> CaseSearch:
        """Searches the index; it counts anew when the index has changed."""
        return CaseSearch(self.index, self.ontology)


class CaseReaders:
    """Readers of all platforms of a data folder, opened when they are first asked."""

    def __init__(self, settings: Settings) -> None:
        """Read the ontology and the weights of the ranking."""
        self._folder = settings.data_dir
        self.ontology = load_ontology(settings.data_dir, settings.hpo_path)
        self._ranking = load_ranking(settings.ranking_path)
        self._readers: dict[str, tuple[CaseReader, LanceIndex]] = {}
        self._seen: dict[str, object] = {}

    def reader(self, platform_id: str) -> CaseReader:
        """Return the reader of a platform, with what it knows of the index up to date.

        Raises:
            NotFound: there is no such platform.
            InputError: the name is none of a platform.
        """
        if platform_id not in self._readers:
            self._readers[platform_id] = self._opened(platform_id)
        reader, index = self._readers[platform_id]
        try:
            version = index.version
        except (OSError, RuntimeError, ValueError):  # the platform has made its index anew
            reader, index = self._readers[platform_id] = self._opened(platform_id)
            version = index.version
        if self._seen.get(platform_id) != version:
            reader.searcher.forget()
            self._seen[platform_id] = version
        return reader

    def _opened(self, platform_id: str) -> tuple[CaseReader, LanceIndex]:
        path = platform_folder(self._folder, platform_id) / "index"
        if not path.is_dir():
            what = "there is no such platform"
            raise NotFound(what, remedy="List the platforms.")
        index = LanceIndex(str(path), read_only=True)
        return CaseReader(platform_id, index, self.ontology, self._ranking), index

    def search(self, platform_id: str, query: CaseQuery) -> SearchAnswer:
        """Search one platform; see ``cluster.flow.search``."""
        return search(self.reader(platform_id), query)
