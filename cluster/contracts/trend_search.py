"""A search for a configuration of the trend model: what is searched, and what was found (S600).

A search of image models has the same parameters, candidates and states (``image_search``).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Value = int | float | str
State = Literal["finished", "stopped_early", "failed"]


class Parameter(BaseModel):
    """One parameter that a search changes, with the bounds within which it is drawn."""

    model_config = ConfigDict(frozen=True)

    name: str
    """A field of the configuration, for a trend model also of its network."""
    meaning: str
    """What it is, with its unit."""
    scale: Literal["log", "linear", "choice"]
    """Drawn evenly in its logarithm, evenly, or as one of ``choices``."""
    low: float = 0.0
    high: float = 0.0
    """Bounds; both 0 where the choices are names."""
    choices: tuple[Value, ...] = ()


class Candidate(BaseModel):
    """A configuration that is tried."""

    model_config = ConfigDict(frozen=True)

    id: str
    values: dict[str, Value]
    """Of every parameter of the space."""


class SearchPlan(BaseModel):
    """What a search is asked to do; the same plan draws the same configurations."""

    model_config = ConfigDict(frozen=True)

    windows: str
    """Name of the file of windows."""
    dataset_digest: str
    """SHA-256 of the windows."""
    n_windows: int
    epochs_max: int
    """Epochs of a trial at the most."""
    seed: int
    """Of the configurations drawn, and of every trial."""
    label_weight: float
    """Weight of the label losses in the loss by which all trials are judged."""
    space: tuple[Parameter, ...]
    candidates: tuple[Candidate, ...]
    """The configurations, the default first."""


class Trial(Candidate):
    """A configuration with what came of it."""

    state: State
    epochs: int = 0
    validation_loss: float | None = None
    """Of the best weights so far; absent where the trial failed before it had any."""
    curve: tuple[tuple[int, float], ...] = ()
    """(epochs, validation loss) of each report."""
    seconds: float = 0.0
    """In which it was trained."""
    error: str = ""
    """Code of the error that ended it."""


class TrendSearch(BaseModel):
    """A search; the trials, best first, are there when it has ended."""

    model_config = ConfigDict(frozen=True)

    plan: SearchPlan
    trials: tuple[Trial, ...] = ()
