"""How many individuals match a query: columns in, one number out."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cluster.case.codes import canonical
from cluster.ontology import Ints, Ontology
from cluster.standards.beacon.query import SEX_OF, BeaconQuery, TermFilter, disease_code

COLUMNS: Final = ("terms", "disease_id", "sex")
"""What a table of individuals has: numbers of the observed HPO terms, one diagnosis, the sex."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Individuals:
    """Those that may be counted, as arrays; made once and asked often."""

    ontology: Ontology
    rows: Ints
    """Rows of the ontology, of all terms of all individuals [M]."""
    owners: Ints
    """Which individual each of them belongs to [M]."""
    diseases: Ints
    """Places in ``disease_codes`` [N]."""
    disease_codes: tuple[str, ...]
    """In their one form."""
    sexes: npt.NDArray[np.object_]
    """[N]."""

    @classmethod
    def of(cls, columns: pa.Table, ontology: Ontology) -> "Individuals":
        """Take a table with ``COLUMNS``; its rows are all that may be counted.

        The caller leaves out every case that is not its own, not active, or not to be shared. A
        term that the ontology lacks is of no individual.
        """
        terms: Any = columns["terms"].combine_chunks()
        rows = ontology.rows_of(np.asarray(terms.flatten()))
        owners = np.asarray(pc.list_parent_indices(terms)).astype(np.int32)
        diseases: Any = columns["disease_id"].combine_chunks().dictionary_encode()
        known = rows >= 0
        return cls(
            ontology=ontology,
            rows=rows[known],
            owners=owners[known],
            diseases=np.asarray(diseases.indices),
            disease_codes=tuple(canonical(one) for one in diseases.dictionary.to_pylist()),
            sexes=columns["sex"].to_numpy(),
        )

    def count(self, query: BeaconQuery) -> int:
        """Count the individuals for which every filter holds; exact, and not to be shown so."""
        passed = np.ones(len(self.sexes), np.bool_)
        for one in query.filters:
            passed &= self._having(one)
        return int(passed.sum())

    def _having(self, asked: TermFilter) -> Bools:
        """Return which individuals have what a filter asks for [N]."""
        if asked.id in SEX_OF:
            is_it: Bools = self.sexes == SEX_OF[asked.id]
            return is_it
        if code := disease_code(asked.id):
            are = np.array([one == code for one in self.disease_codes], np.bool_)
            return are[self.diseases] if len(are) else np.zeros(len(self.sexes), np.bool_)
        (row,) = self.ontology.resolve([asked.id]).rows
        wanted = np.zeros(len(self.ontology.numbers), np.bool_)
        wanted[self.ontology.descendants(row) if asked.include_descendant_terms else row] = True
        having = np.zeros(len(self.sexes), np.bool_)
        having[self.owners[wanted[self.rows]]] = True
        return having
