"""How a first model is trained, as a scientist writes it down: JSON, with bounds on every field."""

from dataclasses import asdict, replace
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.contracts.trend import Channel
from cluster.errors import SettingInvalid
from cluster.ids import canonical_json
from cluster.trend.fit import FitConfig
from cluster.trend.network import DEPTH_MAX, WIDTH_MAX, TrendNetworkConfig

_DEFAULT: Final = FitConfig()
_STRICT: Final = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Network(BaseModel):
    """The bounds of ``TrendNetworkConfig``."""

    model_config = _STRICT

    width: int = Field(_DEFAULT.network.width, ge=1, le=WIDTH_MAX)
    depth: int = Field(_DEFAULT.network.depth, ge=1, le=DEPTH_MAX)
    dropout: float = Field(_DEFAULT.network.dropout, ge=0, lt=1)
    input_limit: float = Field(_DEFAULT.network.input_limit, gt=0, le=1000)


class _Fit(BaseModel):
    """The bounds of ``FitConfig``."""

    model_config = _STRICT

    network: _Network = _Network()
    lr: float = Field(_DEFAULT.lr, gt=0, le=1)
    weight_decay: float = Field(_DEFAULT.weight_decay, ge=0, le=10)
    batch_size: int = Field(_DEFAULT.batch_size, ge=1, le=1 << 16)
    epoch_windows_min: int = Field(_DEFAULT.epoch_windows_min, ge=1, le=1 << 28)
    epochs_max: int = Field(_DEFAULT.epochs_max, ge=1, le=10_000)
    patience: int = Field(_DEFAULT.patience, ge=1, le=10_000)
    improvement_min: float = Field(_DEFAULT.improvement_min, ge=0, le=1000)
    label_weight: float = Field(_DEFAULT.label_weight, ge=0, le=1000)
    seed: int = Field(_DEFAULT.seed, ge=0, lt=1 << 32)
    left_out: tuple[Channel, ...] = ()


def config_from_json(text: str, base: FitConfig = _DEFAULT) -> FitConfig:
    """Read a configuration; what it does not name is as in ``base``.

    Raises:
        SettingInvalid: it is not a JSON object, or a field is unknown or out of its bounds.
    """
    try:
        named = _Fit.model_validate_json(text).model_dump(exclude_unset=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(["config", *map(str, first["loc"])])
        remedy = f"Known are the fields of {config_to_json(_DEFAULT)}."
        raise SettingInvalid(first["msg"], where, remedy) from None
    network: TrendNetworkConfig = replace(base.network, **named.pop("network", {}))
    return replace(base, network=network, **named)


def config_to_json(config: FitConfig) -> str:
    """Write a configuration, so that ``config_from_json`` gives it again."""
    return canonical_json(asdict(config))
