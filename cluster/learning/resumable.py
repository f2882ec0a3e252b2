"""Training that can be put away after a pass and taken up again, here or elsewhere (B8)."""

from typing import Protocol


class Resumable(Protocol):
    """What trainers and tuners need of the training that they run."""

    @property
    def epochs(self) -> int:
        """Passes done."""

    @property
    def finished(self) -> bool:
        """Whether no pass follows."""

    def checkpoint(self) -> bytes:
        """Write all that is needed to go on."""

    def resume(self, checkpoint: bytes) -> None:
        """Go on from a checkpoint.

        Raises:
            IntegrityError: it is damaged.
        """
