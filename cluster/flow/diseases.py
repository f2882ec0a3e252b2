"""The disease database as a service asks it: a code, a name or words in, Y out (C8)."""

from pathlib import Path
from typing import Final, Protocol

from cluster.contracts.disease import DiseaseAnswer, DiseaseCard, Match
from cluster.diseases.answer import answer_of
from cluster.diseases.codes import asked_code
from cluster.diseases.lookup import DiseaseTable
from cluster.errors import InputError
from cluster.storage.diseases import DiseaseShelf

OTHERS_MAX: Final = 10
"""Further candidates of an answer, unless another number is asked for."""


class Words(Protocol):
    """A search for words that are no name."""

    def search(self, text: str, k: int) -> list[tuple[int, float]]:
        """Return up to k rows of the records with their scores, best first."""


class DiseaseDatabase:
    """One version of the disease database, open to be read."""

    def __init__(self, table: DiseaseTable, words: Words, card: DiseaseCard) -> None:
        """Take over what was opened."""
        self._table = table
        self._words = words
        self.card = card

    @classmethod
    def of(cls, data_dir: Path) -> "DiseaseDatabase":
        """Open the version that serves in a data folder, else the demo table.

        Raises:
            StoreUnavailable: its tables are missing.
            IntegrityError: its tables are damaged.
        """
        return cls(*DiseaseShelf(data_dir).open())

    def find(self, query: str, k: int = OTHERS_MAX + 1, *, words: bool = True) -> list[Match]:
        """Return the records that a question leads to, best first.

        Args:
            query: a code such as ``OMIM:609016``, a name or synonym, or words.
            k: records found by words; of a code or a name all are returned.
            words: whether words may be searched where the query is neither code nor name. A label
                of a model is looked up without: "normal" is no word of a disease.

        Raises:
            InputError: it names a vocabulary, with a colon, and is no code of it.
        """
        found = self._table.find(query)
        if found or not words or asked_code(query):
            return found
        return [
            self._table.match_of(row, query, score) for row, score in self._words.search(query, k)
        ]

    def answer(
        self, query: str, others_max: int = OTHERS_MAX, *, words: bool = True
    ) -> DiseaseAnswer | None:
        """Return Y for a question; None where no record is found.

        Raises:
            InputError: it names a vocabulary, with a colon, and is no code of it.
        """
        found = self.find(query, others_max + 1, words=words)
        return answer_of(self._table, query, found, others_max, self.card) if found else None

    def answer_for(self, disease_id: str) -> DiseaseAnswer | None:
        """Return Y for the record of an id, whichever others have that id among their codes."""
        try:
            found = self.find(disease_id, words=False)
        except InputError:  # not in the form of its vocabulary, so no record's
            return None
        own = [match for match in found if match.disease_id == disease_id]
        return answer_of(self._table, disease_id, own, 0, self.card) if own else None
