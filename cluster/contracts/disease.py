"""Records of the disease database, and the answer Y that is made from them (C8)."""

from typing import Final, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from cluster.contracts.ingest import Finding

Relation = Literal["exact", "unstated", "broader", "narrower", "undecided"]
"""How a record stands to a code: a broader record also covers other codes, a narrower one covers a
part of the code only; unstated where the source gives the code and no relation."""
How = Literal["code", "name", "synonym", "words"]
TREATMENT: Final = "treatment"
"""Kind of the passages that tell what is known of treatment."""
NOTICE: Final = (
    "Reference material about a disease, from the sources named. It is not a diagnosis, and no "
    "advice for one patient."
)
DEMO_NOTICE: Final = (
    " DEMO: this is the small table that comes with Dazzle, not a disease database; an operator "
    "loads one with python -m jobs.load_diseases."
)


class Part(BaseModel):
    """A part of a record; fields that a later release adds are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DiseaseCode(Part):
    """A code of another vocabulary, such as ``OMIM:609016``."""

    code: str
    relation: Relation = "unstated"


class Definition(Part):
    """What a disease is, in the words of one source."""

    text: str = Field(min_length=1)
    source: str = Field(min_length=1)
    date: str = ""
    """When the source was released, where that is known."""


class Treatment(Part):
    """One curated action, what it is for, and the publication that says so."""

    action: str = Field(min_length=1)
    action_id: str = Field("", validation_alias=AliasChoices("action_id", "maxo_id"))
    relation: str = Field(min_length=1)
    """In the words of the source: treats, prevents, contraindicated, no_observed_benefit …"""
    target_id: str = Field("", validation_alias=AliasChoices("target_id", "for"))
    target: str = Field("", validation_alias=AliasChoices("target", "for_label"))
    agent: str = Field("", validation_alias=AliasChoices("agent", "with"))
    """The drug, where the source names one."""
    evidence: str = ""
    """PCS is a published clinical study, TAS a statement of an author that can be traced."""
    source: str = Field(min_length=1)
    date: str = ""


class Passage(Part):
    """A text about a disease, with its kind and its source."""

    kind: str = Field(min_length=1)
    """treatment, information, frequency, prevention or management resources."""
    text: str = Field(min_length=1)
    source: str = Field(min_length=1)
    url: str = ""
    cut: bool = False
    """Whether the text goes on at its source."""
    one_in: int | None = None
    """Of a frequency: one person in so many."""
    date: str = ""


class Disease(Part):
    """One record of the database; codes are in their one form, ``MONDO:0012173``."""

    id: str
    name: str
    synonyms: tuple[str, ...] = ()
    kind: str = ""
    level: str = ""
    status: tuple[str, ...] = ()
    """Not empty for an entity that its source no longer uses, or that is not rare."""
    definitions: tuple[Definition, ...] = ()
    codes: tuple[DiseaseCode, ...] = ()
    onset: tuple[str, ...] = ()
    inheritance: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    texts: tuple[Passage, ...] = ()

    @property
    def is_treated(self) -> bool:
        """Whether anything is known of treatment."""
        return bool(self.treatments) or any(text.kind == TREATMENT for text in self.texts)


class DiseaseCard(BaseModel):
    """What is known of a file of disease records that was loaded."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Name of the file."""
    digest: str
    """SHA-256 of the file: its version."""
    records: int
    refused: int = 0
    """Lines that are no record."""
    by_code: dict[str, int] = {}
    """All findings, counted by their code."""
    findings: tuple[Finding, ...] = ()
    """The first ones in full."""
    loaded_at: float = 0.0
    """Seconds since 1970 UTC; 0 for the demo table."""
    dates: dict[str, str] = {}
    """Release of each source, by the beginning of its name, as the operator gave it."""
    demo: bool = False


class Match(BaseModel):
    """A record that a question led to, and by what."""

    model_config = ConfigDict(frozen=True)

    disease_id: str
    name: str
    how: How
    relation: Relation = "exact"
    matched: str
    """The code, name or words that led to it."""
    score: float = 0.0
    """BM25 of words; 0 for codes and names, which either match or do not."""


class Ancestor(BaseModel):
    """A disease above another one."""

    model_config = ConfigDict(frozen=True)

    disease_id: str
    name: str


class Reference(BaseModel):
    """Where something said in an answer can be read."""

    model_config = ConfigDict(frozen=True)

    id: str
    url: str


class DiseaseSource(BaseModel):
    """The data set that an answer was made from."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str
    loaded_on: str
    """Day in ISO 8601; an empty text for the demo table."""
    demo: bool


class DiseaseAnswer(BaseModel):
    """Y: what is known of one disease, each part with its source."""

    model_config = ConfigDict(frozen=True)

    query: str
    match: Match
    alike: int
    """Other records that match just as well; where it is not 0, a person has to choose."""
    others: tuple[Match, ...]
    """Further candidates, best first, up to the number asked for."""
    disease_id: str
    name: str
    synonyms: tuple[str, ...]
    kind: str
    status: tuple[str, ...]
    codes: tuple[DiseaseCode, ...]
    definitions: tuple[Definition, ...]
    onset: tuple[str, ...]
    inheritance: tuple[str, ...]
    treatments: tuple[Treatment, ...]
    treatment_texts: tuple[Passage, ...]
    from_parent: tuple[Ancestor, ...]
    """Way up to the disease that the treatment is of; empty where it is of the disease itself."""
    information: tuple[Passage, ...]
    frequency: tuple[Passage, ...]
    prevention: tuple[Passage, ...]
    resources: tuple[Passage, ...]
    """Lists of links, such as management resources."""
    references: tuple[Reference, ...]
    notice: str
    data_set: DiseaseSource
