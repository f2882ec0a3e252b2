"""What all messages between processes have in common."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A message that nobody changes on its way."""

    model_config = ConfigDict(frozen=True, extra="forbid")
