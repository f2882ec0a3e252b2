"""Would it have worked: a model of windows known by a day, scored on those cut later (S700)."""

from pydantic import BaseModel, ConfigDict

from cluster.contracts.trend import ShapeCard


class ForwardStudy(BaseModel):
    """Forecasts forward in time; an item may have windows on both sides of the day."""

    model_config = ConfigDict(frozen=True)

    day: float
    """Seconds since the epoch, UTC."""
    source: str
    """What the windows were read from, as a person knows it."""
    seed: int
    n_learned: int
    """Windows whose horizon had ended by the day."""
    n_scored: int
    """Windows cut on the day or after it."""
    n_between: int
    """Windows cut before the day whose horizon ended after it: left out."""
    n_without_cut: int
    """Windows of which it is not known when they were cut: left out."""
    n_unlike: int
    """Later windows of a shape or period that no earlier one has: left out."""
    shapes: tuple[ShapeCard, ...]
    """Figures of the mean of all members, and of the baselines, on the windows scored."""
