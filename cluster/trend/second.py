"""The card of a second model: scored on kept-apart items of its own windows (S550)."""

import pyarrow as pa

from cluster.contracts.trend import TrendCard
from cluster.trend.artefact import load
from cluster.trend.publish import examine, shape_cards


def second_card(
    content: bytes, *, n_learned: int, new: pa.Table, dataset_digest: str, seed: int
) -> TrendCard:
    """Describe an accepted second model.

    Args:
        content: the model's bytes.
        n_learned: windows that the update learned from.
        new: windows of the update; the figures are made on them, each by the member that keeps
            its item apart.
        dataset_digest: what names the new windows.
        seed: the update's.
    """
    model = load(content)
    return TrendCard(
        version=model.version,
        role="second",
        parent=model.profile.parent,
        dataset_digest=dataset_digest,
        seed=seed,
        epochs=0,
        converged=True,
        n_train=n_learned,
        shapes=shape_cards(model, examine(model, new)),
        learning_curve=[],
    )
