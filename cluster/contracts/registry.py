"""What the registry says of itself: what it keeps, where, in which version, and whence (C11)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Action = Literal["pending", "published", "refused", "retired", "served"]
"""What was done with a version of an image model; ``served`` is a return to an earlier one."""
Kind = Literal["training data", "algorithm", "model", "disease database"]


class ModelChange(BaseModel):
    """One line in the history of an image model; lines are added, never changed."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    action: Action
    at: float
    """Seconds since 1970 UTC."""
    by: str
    """The job or person who did it."""
    reason: str = ""


class Registered(BaseModel):
    """One thing that the registry keeps."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    name: str
    version: str
    """A digest; of an algorithm the name of its starting weights."""
    place: str
    """Where it lies, below the data folder or in the blob store; of an algorithm, its source."""
    state: str = ""
    """Of a model or database: whether it serves, waits, or was taken back."""
    at: float | None = None
    """Since when, in seconds since 1970 UTC, where that is known."""
    lineage: tuple[str, ...] = ()
    """What it was made from, each as ``what: which``."""
    history: tuple[ModelChange, ...] = ()
