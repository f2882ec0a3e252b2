"""The port behind which vectors and filterable columns lie; a projection of the ledger."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from cluster.ontology import Floats


class CaseIndex(Protocol):
    """Where retrieval features are kept and searched; one writer."""

    def upsert(self, features: pa.Table) -> None:
        """Insert or replace rows of ``FEATURES`` by case id."""
        ...

    def set_rare_features(self, values: Mapping[str, float]) -> None:
        """Change the rare feature of cases."""
        ...

    def nearest(
        self, queries: Floats, k: int, *, disease_id: str | None = None, origin: str | None = None
    ) -> list[pa.Table]:
        """Return for each query vector [Q, 1024] its nearest rows of a disease, of an origin."""
        ...

    def matching(self, text: str, k: int, *, disease_id: str | None = None) -> pa.Table:
        """Return the rows whose text matches, of a disease, best first."""
        ...

    def rows(self, case_ids: Sequence[str]) -> pa.Table:
        """Return the rows of these cases, in no order."""
        ...

    def index_text(self) -> None:
        """Make new text findable, and fold small writes together."""
        ...

    def count(self) -> int:
        """Return the number of rows."""
        ...

    def clear(self) -> None:
        """Forget everything, before a rebuild from the ledger."""
        ...
