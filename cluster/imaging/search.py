"""Which configurations of an image model a search tries (C2, B7).

How values are drawn from ``SPACE`` is in ``cluster.learning.search``. All trials are judged by the
cross entropy on the validation images, of the best pass so far, as that one would be published. It
does not depend on anything that is searched.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from cluster.contracts.image_models import Epoch
from cluster.contracts.image_search import ImageSearchPlan
from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.images import ImageSetManifest, StoredImageSet
from cluster.contracts.trend_search import Parameter, Value
from cluster.errors import SettingInvalid
from cluster.learning.search import candidates_of

SPACE: Final = (
    Parameter(
        name="depth",
        meaning="what is trained beside the head",
        scale="choice",
        choices=("head", "upper", "all"),
    ),
    Parameter(
        name="learning_rate", meaning="of AdamW, at its highest", scale="log", low=3e-5, high=3e-3
    ),
    Parameter(
        name="augmentation", meaning="strength of the changes", scale="linear", low=0.0, high=2.0
    ),
    Parameter(
        name="label_smoothing",
        meaning="share of certainty that is taken away",
        scale="linear",
        low=0.0,
        high=0.2,
    ),
    Parameter(
        name="weight_decay",
        meaning="of AdamW, per unit of its rate",
        scale="log",
        low=1e-3,
        high=0.5,
    ),
    Parameter(
        name="batch_size",
        meaning="images of a step",
        scale="choice",
        low=16,
        high=64,
        choices=(16, 32, 64),
    ),
)
"""What is searched. The default lies inside."""

_KNOWN: Final = f"Known are the fields of {ImageFitConfig().model_dump_json()}."


def plan_search(
    stored: StoredImageSet,
    manifest: ImageSetManifest,
    weights: tuple[str, str],
    base: ImageFitConfig,
    n_trials: int,
) -> ImageSearchPlan:
    """Return the plan of a search: the default, and as many drawn configurations as are missing.

    Args:
        stored: the version of the set.
        manifest: of the same.
        weights: name and SHA-256 of the starting weights.
        base: what is not searched, the default of what is, and the seed.
        n_trials: configurations.
    """
    splits = [image.split for image in manifest.images]
    return ImageSearchPlan(
        data_set=stored.name,
        data_set_digest=stored.digest,
        n_training=splits.count("training"),
        n_validation=splits.count("validation"),
        weights=weights[0],
        weights_sha256=weights[1],
        base=base,
        space=SPACE,
        candidates=candidates_of(SPACE, values_of(base), n_trials, base.seed),
    )


def values_of(config: ImageFitConfig) -> dict[str, Value]:
    """Return a configuration's values of the parameters of ``SPACE``."""
    fields = config.model_dump()
    return {parameter.name: fields[parameter.name] for parameter in SPACE}


def config_of(values: Mapping[str, object], base: ImageFitConfig) -> ImageFitConfig:
    """Return a configuration with other values of some fields.

    Raises:
        SettingInvalid: a field is unknown or out of its bounds.
    """
    return _checked(base.model_dump() | dict(values))


def config_from(text: str, given: Mapping[str, object]) -> ImageFitConfig:
    """Read a configuration from JSON; what it does not name is as by default.

    Args:
        text: a JSON object.
        given: what counts before it, by field; None where nothing is given.

    Raises:
        SettingInvalid: it is no JSON object, or a field is unknown or out of its bounds.
    """
    try:
        named = json.loads(text)
    except ValueError:
        named = None
    if not isinstance(named, dict):
        what = "the configuration is not a JSON object"
        raise SettingInvalid(what, "config", _KNOWN)
    chosen = {name: value for name, value in given.items() if value is not None}
    return _checked(named | chosen)


def _checked(fields: Mapping[str, object]) -> ImageFitConfig:
    try:
        return ImageFitConfig.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(["config", *map(str, first["loc"])])
        raise SettingInvalid(first["msg"], where, _KNOWN) from None


def best_pass(curve: Sequence[Epoch]) -> Epoch:
    """Return the pass with the least validation loss, the first of equals."""
    return min(curve, key=lambda one: one.validation_loss)
