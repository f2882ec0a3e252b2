"""What goes into an ingest and what is said about it (B1, B2)."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

Level = Literal["note", "warning", "refused"]


class Source(BaseModel):
    """The files of one platform; of a shared file each platform takes one part."""

    model_config = ConfigDict(frozen=True)

    files: tuple[str, ...]
    part: int = 0
    parts: int = 1


class Finding(BaseModel):
    """One thing that ingest has to say about one place; ids and codes, never patient data."""

    model_config = ConfigDict(frozen=True)

    level: Level
    """refused: not taken in; warning: taken in with a reservation; note: for information."""
    code: str
    file: str
    line: int = 0
    """Line in the file, from 1; 0 where the finding is about the whole file."""
    case_id: str = ""
    message: str = ""


class IngestReport(BaseModel):
    """What one ingest did; counts first, then every finding."""

    platform: str
    read: int = 0
    added: int = 0
    revised: int = 0
    unchanged: int = 0
    refused: int = 0
    observed_terms: int = 0
    excluded_terms: int = 0
    ontology: str = ""
    """Version of the ontology in which the terms were placed."""
    hpo_releases: dict[str, int] = {}
    """Cases by the HPO release that they say they were written with; or ``missing``."""
    facts: dict[str, int] = {}
    """Cases by what they lack and in which form they give it, such as ``age.gestational_age``.

    ``feature_onset.*`` and ``label.differs`` count features; ``profile.shared_in_platform`` counts
    cases with the same terms as another one of their platform. What is zero is left out.
    """
    findings: list[Finding] = []

    def by_code(self) -> dict[str, int]:
        """Count the findings by code."""
        return dict(sorted(Counter(finding.code for finding in self.findings).items()))


def total_facts(reports: Iterable[IngestReport]) -> dict[str, int]:
    """Add up the facts of several ingests, and the releases that their cases were written with.

    ``profile.shared_in_platform`` stays what its name says: equal profiles on two platforms are not
    among it, for no platform knows the other's.
    """
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report.facts)
        total.update({f"hpo_release.{name}": n for name, n in report.hpo_releases.items()})
    return dict(sorted(total.items()))
