"""What the routes of the diagnosis application ask of the cluster."""

from collections.abc import Sequence
from typing import Protocol

from cluster.contracts.diagnosis import TrainingOrder, TrainingRun
from cluster.contracts.image_models import ListedModel, ModelList, State
from cluster.contracts.related import DiseaseQuestion, NetworkCases
from cluster.settings import Settings


class RegistryPort(Protocol):
    """Keeps image models, and is the only writer of their ledger; as ``RegistryService``."""

    async def model_list(self, disease: str, name: str, states: Sequence[State]) -> ModelList: ...
    async def accept_image(self, name: str, which: str, by: str, reason: str) -> ListedModel: ...
    async def refuse_image(self, name: str, which: str, by: str, reason: str) -> ListedModel: ...
    async def retire_image(self, name: str, which: str, by: str, reason: str) -> ListedModel: ...


class CasesPort(Protocol):
    """Asks the network for cases; as ``SupervisorService``."""

    async def cases_of_disease(self, name: str, question: DiseaseQuestion, by: str) -> NetworkCases:
        """Ask a platform and all that it has an agreement with.

        Raises:
            NotFound: there is no such platform.
            StoreUnavailable: it cannot say whom to ask.
        """
        ...


class TrainingPort(Protocol):
    """Runs trainings as jobs of the cluster."""

    async def submit(self, run: str, order: TrainingOrder, by: str) -> TrainingRun:
        """Begin a run under a name; one that was begun under it is returned.

        Raises:
            StoreUnavailable: the cluster takes no jobs.
            Conflict: what was begun under the name is another order.
        """
        ...

    async def runs(self) -> list[TrainingRun]:
        """Return the runs that the cluster remembers, the last first; raises as above."""
        ...


class DiagnosisPorts(Protocol):
    """The cluster, as the diagnosis application sees it."""

    @property
    def settings(self) -> Settings: ...

    @property
    def registry(self) -> RegistryPort: ...

    @property
    def cases(self) -> CasesPort: ...

    @property
    def training(self) -> TrainingPort: ...

    async def publish_pending(self, bundle_json: bytes, by: str) -> ListedModel:
        """List a bundle whose files are in the blob store; it waits until it is accepted.

        Raises:
            ModelRefused: it is not whole, or bound to an unknown disease.
        """
        ...
