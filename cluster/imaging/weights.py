"""Starting weights into a network (C2): what must be there, what may be left out, what is refused.

The head is always new: its classes are others. So are its like in the auxiliary part. Counts of
batches are not used by any network here. All else must fit, name by name and shape by shape.
"""

import io
import pickle
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cluster.errors import WeightsInvalid

V = TypeVar("V")
Tensors = dict[str, NDArray[np.float32]]
HEADS: Final = ("fc.", "_fc.", "AuxLogits.fc.")
AUX: Final = "AuxLogits."
BATCHES: Final = ".num_batches_tracked"
NAMES_SHOWN: Final = 3


def read_checkpoint(content: bytes) -> Tensors:
    """Read the floating-point tensors of a ``.pth`` file, as float32.

    Only for files that are known by their digest: the format is a pickle, and torch's restricted
    reading of it has been broken before (CVE-2025-32434).

    Raises:
        WeightsInvalid: it is not a mapping from names to tensors.
    """
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        what = f"the weights cannot be read ({type(error).__name__})"
        raise WeightsInvalid(what) from None
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        what = "the file has other things than tensors with names"
        raise WeightsInvalid(what)
    return {
        name: tensor.detach().float().numpy()
        for name, tensor in state.items()
        if tensor.is_floating_point()
    }


def load_into(
    network: nn.Module, tensors: Mapping[str, NDArray[np.float32]], source: str = ""
) -> None:
    """Set the weights of a network, its head aside; nothing is changed where they do not fit.

    The auxiliary part of InceptionV3 is loaded where both have it; a network that has one keeps
    its own where the file has none.

    Args:
        network: a torchvision ``Inception3`` or an ``EfficientNetLite0``.
        tensors: by name, as ``cluster.storage.starting_weights`` reads them.
        source: what errors call the weights.

    Raises:
        WeightsInvalid: a tensor is missing, foreign or of another shape.
    """
    own = {name: tensor for name, tensor in network.state_dict().items() if _is_body(name)}
    given = {name: array for name, array in tensors.items() if _is_body(name)}
    if not (_has_aux(own) and _has_aux(given)):
        own, given = _without_aux(own), _without_aux(given)
    wrong = [
        f"{name} is {_shape(given[name].shape)}, not {_shape(tensor.shape)}"
        for name, tensor in own.items()
        if name in given and given[name].shape != tuple(tensor.shape)
    ]
    problems = [
        *_told("missing", sorted(own.keys() - given.keys())),
        *_told("foreign", sorted(given.keys() - own.keys())),
        *_told("of another shape", wrong),
    ]
    if problems:
        what = f"these weights do not fit {type(network).__name__}: {'; '.join(problems)}"
        raise WeightsInvalid(what, source, "Give weights of this network, or another --backbone.")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(torch.tensor(given[name]))


def _is_body(name: str) -> bool:
    return not name.startswith(HEADS) and not name.endswith(BATCHES)


def _has_aux(names: Iterable[str]) -> bool:
    return any(name.startswith(AUX) for name in names)


def _without_aux(named: Mapping[str, V]) -> dict[str, V]:
    return {name: value for name, value in named.items() if not name.startswith(AUX)}


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "a number"


def _told(how: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return [f"{len(names)} {how} ({', '.join(names[:NAMES_SHOWN])}{more})"]
