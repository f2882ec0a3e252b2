"""What an operator may set, with units, defaults and bounds; an unknown setting is an error.

Each is an environment variable ``DAZZLE_<NAME>`` or ``--set name=value`` of a job.
"""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cluster.errors import SettingInvalid
from cluster.ids import sha256

PREFIX = "DAZZLE_"
LITERATURE: Final = ("literature_path", "ncbi_email", "ncbi_api_key", "ncbi_url")
"""Who is asked for literature. The courier is told with every refresh, so that no actor has to be
started anew for a file that moved or a key that changed."""

ELSEWHERE: Final = frozenset({"server", "server_token", "device_cache", "mme_token"})
"""Variables that cluster.device and jobs.conformance read; no settings, but known."""

Days = Annotated[float, Field(gt=0, le=3650)]
Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseSettings):
    """The presets and periods of the flow, and where its files lie."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", allow_inf_nan=False
    )

    data_dir: Path = Field(Path("dazzle-data"), description="folder of ledgers, indexes and blobs")

    blob_uri: str = Field(
        "", description="models and training windows, such as s3://bucket/prefix; else local"
    )

    hpo_path: str = Field("", description="hp.obo or hp.obo.gz; else the embedded release")
    ranking_path: str = Field("", description="weights of the ranking; else those of the product")
    prevalence_path: str = Field(
        "",
        description="published rates: en_product9_prev.xml, omim_rarity.csv or prevalence.csv; "
        "else none",
    )
    literature_path: str = Field("", description="publications, .tsv or .jsonl; else none")
    diseases_path: str = Field(
        "", description="disease records, .jsonl or .jsonl.gz, for load_diseases; else the demo"
    )
    ncbi_email: str = Field(
        "", description="address that NCBI is told; PubMed is asked only where it is set"
    )
    ncbi_api_key: SecretStr = Field(
        SecretStr(""), description="key of NCBI, for ten calls a second"
    )
    ncbi_url: str = Field(
        "https://eutils.ncbi.nlm.nih.gov/entrez/eutils", description="where PubMed is asked"
    )

    person_years_at_risk: float = Field(
        1_000_000.0,
        ge=0,
        description="population at risk of a platform that states none",
    )
    first_screening_share: Share = Field(
        0.75, description="share of classes, lowest incidence first, that pass the first screening"
    )
    incidence_preset_per_100k: float = Field(
        0.3,
        gt=0,
        description="highest incidence of the second screening, per 100,000 and year",
    )
    screening_rule: Literal["lenient", "strict"] = Field(
        "lenient",
        description="second screening: median, or upper end of the interval, at most the preset",
    )
    incidence_prior_strength: float = Field(
        0.5, gt=0, description="weight of the incidence prior, in cases"
    )

    period_days_ref: Days = Field(14.0, description="first preset period at the reference visits")
    visits_per_day_ref: float = Field(
        1000.0,
        gt=0,
        description="visits a day at which the first period has its reference length",
    )
    period_days_min: Days = Field(7.0, description="shortest first preset period")
    period_days_max: Days = Field(28.0, description="longest first preset period")
    visits_window_days: Days = Field(28.0, description="days over which visits are averaged")

    user_events_max: int = Field(
        3,
        ge=1,
        description="events of one user, kind and case that count in a period; the rest are kept",
    )
    platform_share_max: float = Field(
        0.95,
        gt=0,
        le=1,
        description="share of a case's accesses that one platform may make; above it an upload "
        "waits for an operator, 1 turns this off",
    )

    share_index_min: Share = Field(0.3, description="lower end of the preset index range")
    share_index_max: Share = Field(1.0, description="upper end of the preset index range")
    propagation_preset: Share = Field(
        0.2, description="propagation index from which a case joins the incremental learning"
    )
    forgetting_max: float = Field(
        0.015,
        ge=0,
        description="rise of the error on old windows that a second model may show",
    )
    train_workers: int = Field(1, ge=1, le=1024, description="workers of a Ray Train run")
    train_epochs_max: int = Field(60, ge=1, le=10_000, description="epochs of a run at the most")

    lease_s: float = Field(60.0, gt=0, description="seconds a claimed delivery stays its owner's")
    attempts_max: int = Field(8, ge=1, description="tries of a delivery before it is parked")
    refresh_days: Days = Field(7.0, description="second preset period: related material is renewed")
    related_max: int = Field(5, ge=1, le=100, description="related cases kept beside a shared case")

    image_set_mib_max: int = Field(512, ge=1, description="size of an uploaded zip of images, MiB")
    image_set_unpacked_mib_max: int = Field(
        2048, ge=1, description="size of a set of images unpacked, MiB"
    )
    image_set_files_max: int = Field(
        20_000, ge=1, le=50_000, description="files of a set of images, folders counted"
    )
    image_mib_max: int = Field(20, ge=1, le=256, description="size of one image file, MiB")
    image_megapixels_max: int = Field(
        50, ge=1, le=500, description="pixels of one image, in millions"
    )
    image_decoders: int = Field(
        2, ge=1, le=64, description="processes that read images, each with limits of its own"
    )
    model_mib_max: int = Field(1024, ge=1, le=2047, description="size of an uploaded model, MiB")
    model_check_s: float = Field(
        30.0, gt=0, le=3600, description="processor seconds in which an uploaded model is examined"
    )

    calls_per_s: float = Field(
        20.0, gt=0, description="calls a second of one token that each replica answers"
    )
    calls_burst: float = Field(40.0, ge=1, description="calls of one token at once, after a rest")
    public_calls_per_s: float = Field(
        2.0, gt=0, description="calls a second of one address without a token"
    )
    calls_at_once: int = Field(
        64, ge=1, description="calls that one replica works on; more get a 503 at once"
    )
    public_url: str = Field(
        "http://127.0.0.1:8000", description="address under which services reach this cluster"
    )
    organisation: str = Field("Dazzle", description="who answers, as other servers are told")
    beacon_id: str = Field("local.dazzle", description="id of the Beacon, in reverse domain order")
    environment: Literal["prod", "test", "dev", "staging"] = Field(
        "test", description="what other servers are told of the data: prod for real patients"
    )
    show_api: bool = Field(True, description="whether OpenAPI descriptions are served")

    @field_validator(
        "hpo_path", "ranking_path", "prevalence_path", "literature_path", "diseases_path"
    )
    @classmethod
    def _is_absolute_or_absent(cls, path: str) -> str:
        return str(Path(path).resolve()) if path else ""

    @field_validator("ncbi_url")
    @classmethod
    def _is_encrypted_or_here(cls, url: str) -> str:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
        if not is_safe or not parts.hostname or parts.username is not None:
            text = "must be https://host/path; http only for this machine"
            raise ValueError(text)
        return url

    @field_validator("data_dir")
    @classmethod
    def _is_absolute(cls, folder: Path) -> Path:
        return folder.resolve()

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> "Settings":
        if self.period_days_min > self.period_days_max:
            text = "period_days_min is above period_days_max"
            raise ValueError(text)
        if self.share_index_min > self.share_index_max:
            text = "share_index_min is above share_index_max"
            raise ValueError(text)
        return self

    def digest(self) -> str:
        """Return what tells these settings from others, those of ``LITERATURE`` aside."""
        return sha256(self.model_dump_json(exclude=set(LITERATURE)))

    def texts(self) -> dict[str, str]:
        """Return the settings as a run keeps them: all but those of ``LITERATURE``.

        These are asked for again at each job, from the environment and ``--set``; so no secret is
        kept.
        """
        kept = self.model_dump(exclude=set(LITERATURE))
        return {name: str(value) for name, value in kept.items()}


def is_loopback(url: str) -> bool:
    """Say whether an address is one of this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(overrides: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment, then from the overrides.

    Raises:
        SettingInvalid: a name is unknown or a value is out of range.
    """
    known = set(Settings.model_fields)
    named = {name.removeprefix(PREFIX).lower() for name in os.environ if name.startswith(PREFIX)}
    unknown = sorted(((named - ELSEWHERE) | set(overrides or {})) - known)
    if unknown:
        what = f"unknown setting {', '.join(unknown)}"
        raise SettingInvalid(what, remedy=f"Known are: {', '.join(sorted(known))}.")
    try:
        return Settings(**(overrides or {}))  # type: ignore[arg-type]  # pydantic reads the text
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingInvalid(first["msg"], where=".".join(map(str, first["loc"]))) from None
