"""The port behind which vectors and filterable columns lie; a projection of the ledger.

It also decides which rows a filter lets through, so that all indexes agree.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cluster.ontology import Floats

Bools = npt.NDArray[np.bool_]

Word = Annotated[str, Field(min_length=1, max_length=255)]


class CaseFilter(BaseModel):
    """Which cases a search may return; every part that is given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    disease_id: Word | None = None
    category: Word | None = None
    gene: Word | None = None
    """Symbol of a gene in one of the diagnoses."""
    origin: Word | None = None
    """Platform that the case comes from."""
    state: Word | None = None
    """``own`` or ``received``."""
    sex: Word | None = None
    """As in the phenopacket: ``FEMALE``, ``MALE``, ``OTHER_SEX`` or ``UNKNOWN_SEX``."""
    age_min: float | None = Field(None, ge=0, le=150)
    age_max: float | None = Field(None, ge=0, le=150)
    """Years at the last encounter; a case without an age is in no range."""
    rare_min: float | None = Field(None, ge=0)
    rare_max: float | None = Field(None, ge=0)
    """Rare feature (S360)."""

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> "CaseFilter":
        for low, high in ((self.age_min, self.age_max), (self.rare_min, self.rare_max)):
            if low is not None and high is not None and low > high:
                text = f"a range from {low} to {high} is empty"
                raise ValueError(text)
        return self


EVERY_CASE: Final = CaseFilter()
EQUAL: Final = ("disease_id", "category", "origin", "state", "sex")
"""Parts of a filter that name the value of a column."""
RANGES: Final = {"age_years": ("age_min", "age_max"), "rare_feature": ("rare_min", "rare_max")}
"""Columns that a filter bounds, with the names of their bounds."""
FILTERABLE: Final = (*EQUAL, *RANGES, "genes")
_LARGEST: Final = float(np.finfo(np.float32).max)


def bound(value: float) -> float:
    """Return a bound as the columns store numbers, so that a stored value equals itself."""
    return float(np.float32(min(value, _LARGEST)))


def passing(columns: pa.Table, where: CaseFilter) -> Bools:
    """Return which rows of a table with the filterable columns pass a filter [N]."""
    passed = np.ones(columns.num_rows, np.bool_)
    for name in EQUAL:
        value = getattr(where, name)
        if value is not None:
            passed &= np.asarray(pc.equal(columns[name], value))
    for name, (lowest, highest) in RANGES.items():
        least, most = getattr(where, lowest), getattr(where, highest)
        if least is not None or most is not None:
            numbers = np.asarray(columns[name].cast(pa.float64()))  # a null is NaN, in no range
            passed &= numbers >= bound(-_LARGEST if least is None else least)
            passed &= numbers <= bound(_LARGEST if most is None else most)
    if where.gene is not None:
        genes: Any = columns["genes"].combine_chunks()
        is_it = pc.equal(genes.flatten(), pa.scalar(where.gene))
        has_gene = np.zeros(len(passed), np.bool_)
        has_gene[np.asarray(pc.list_parent_indices(genes).filter(is_it))] = True
        passed &= has_gene
    return passed


class CaseIndex(Protocol):
    """Where retrieval features are kept and searched; one writer.

    What a search finds are tables of ``ANSWERS``, highest score first, and by case id where two
    are equal to six decimals.
    """

    def upsert(self, features: pa.Table) -> None:
        """Insert or replace rows of ``FEATURES`` by case id."""
        ...

    def remove(self, case_ids: Sequence[str]) -> None:
        """Forget rows; those that are not here are none."""
        ...

    def set_rare_features(self, values: Mapping[str, float]) -> None:
        """Change the rare feature of cases that are here; vectors are not written again."""
        ...

    def nearest(self, queries: Floats, k: int, where: CaseFilter = EVERY_CASE) -> list[pa.Table]:
        """Return for each query vector [Q, 1024] its k nearest rows that pass the filter.

        The score is the cosine. A query that is all zero is equally near to every row.
        """
        ...

    def matching(self, text: str, k: int, where: CaseFilter = EVERY_CASE) -> pa.Table:
        """Return k rows that pass the filter and whose text matches; the score is BM25."""
        ...

    def listed(self, k: int, where: CaseFilter = EVERY_CASE) -> pa.Table:
        """Return the first k rows by case id that pass the filter; the score is 0."""
        ...

    def rows(self, case_ids: Sequence[str]) -> pa.Table:
        """Return the rows of these cases, as ``FEATURES``, in no order."""
        ...

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return these columns of every row, in the order of case ids."""
        ...

    def settle(self) -> None:
        """Fold many small writes together, and make or renew what makes searches fast.

        Everything is found without it too.
        """
        ...

    def count(self) -> int:
        """Return the number of rows."""
        ...

    def clear(self) -> None:
        """Forget everything, before a rebuild from the ledger."""
        ...
