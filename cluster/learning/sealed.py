"""Tensors and a JSON text in one safetensors file that shows any change (B3, C11)."""

import json
from collections.abc import Mapping
from typing import Any

import safetensors.torch
from torch import Tensor

from cluster.errors import IntegrityError
from cluster.ids import canonical_json, sha256


def pack(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """Write tensors and a JSON text as safetensors, sealed by a digest of both."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    sealed = canonical_json({"about": about, "sha256": _digest(plain, about)})
    # One key only: the order of several is not defined, and the bytes must be.
    return bytes(safetensors.torch.save(plain, metadata={"dazzle": sealed}))


def unpack(content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read back what ``pack`` wrote.

    Raises:
        IntegrityError: a byte was changed, added or lost.
    """
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load(content)
        length = int.from_bytes(content[:8], "little")
        sealed = json.loads(content[8 : 8 + length])["__metadata__"]["dazzle"]
        about: dict[str, Any] = json.loads(sealed)["about"]
        # Written again it has its digest anew, and every byte of it, be it white space.
        intact = pack(tensors, about) == content
        intact = intact and isinstance(about, dict)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RecursionError):
        intact = False
    if not intact:
        what = "the bytes are damaged or are not a file of Dazzle"
        raise IntegrityError(what, "safetensors", "Restore the file or publish it again.")
    return tensors, about


def _digest(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    """Return the SHA-256 of names, types, shapes, numbers and JSON text."""
    parts = {
        name: [str(tensor.dtype), list(tensor.shape), sha256(tensor.numpy().tobytes())]
        for name, tensor in tensors.items()
    }
    return sha256(canonical_json({"about": about, "tensors": parts}))
