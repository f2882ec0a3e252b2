"""An update of a trend model beside other ways to make one, on the same windows (S540-S550)."""

from pydantic import BaseModel, ConfigDict


class UpdateArm(BaseModel):
    """One way to take new windows in, and what it does to the errors on kept-apart items."""

    model_config = ConfigDict(frozen=True)

    name: str
    n_learned: int
    """New windows learned from."""
    n_rehearsal: int
    """Old windows learned from again."""
    old: float
    """MSLE on old guard windows afterwards, window shapes weighing alike."""
    old_change: tuple[float, float, float]
    """Lower end, value and upper end of its change; the 95 % interval draws items anew."""
    new: float
    new_change: tuple[float, float, float]
    """The same on new windows, all of them and not only those gated in."""
    seconds: float
    """From the windows to the scored model, in one process."""


class UpdateComparison(BaseModel):
    """Ways to take the same new windows in, of which the first leaves all as it is."""

    model_config = ConfigDict(frozen=True)

    first: str
    """Version of the model that they start from."""
    n_old: int
    n_new: int
    seed: int
    arms: tuple[UpdateArm, ...]
