"""The state of an optimiser as plain tensors, so that a checkpoint needs no pickle (B8)."""

from collections.abc import Mapping
from typing import Final

from torch import Tensor
from torch.optim import Optimizer

OPTIMIZER: Final = "optimizer/"


def state_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return its state by ``optimizer/<parameter>/<name>``."""
    return {
        f"{OPTIMIZER}{index}/{name}": tensor
        for index, state in optimizer.state_dict()["state"].items()
        for name, tensor in state.items()
    }


def restore_state(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser the state that ``state_tensors`` returned; other tensors are left out."""
    states: dict[int, dict[str, Tensor]] = {}
    for path, tensor in under(OPTIMIZER, tensors).items():
        index, name = path.split("/")
        states.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names have a prefix, by the rest of their names."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
