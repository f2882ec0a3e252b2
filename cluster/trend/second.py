"""The card of a second model: scored on held-out items of its own windows (S550)."""

import pyarrow as pa

from cluster.contracts.trend import TrendCard
from cluster.trend.artefact import load
from cluster.trend.baselines import score_baselines
from cluster.trend.features import split_windows
from cluster.trend.fit import evaluate


def second_card(
    content: bytes, *, old: pa.Table, new: pa.Table, dataset_digest: str, seed: int
) -> TrendCard:
    """Describe an accepted second model.

    Args:
        content: the model's bytes.
        old: windows of the first model.
        new: windows of the update; the figures are made on their held-out items.
        dataset_digest: what names the new windows.
        seed: the update's.
    """
    model = load(content)
    earlier, later = split_windows(old), split_windows(new)
    known = pa.concat_tables(
        [earlier.training, earlier.validation, later.training, later.validation]
    )
    threshold = model.profile.hot_threshold_log2
    return TrendCard(
        version=model.version,
        role="second",
        parent=model.profile.parent,
        dataset_digest=dataset_digest,
        seed=seed,
        epochs=0,
        converged=True,
        hot_threshold_log2=threshold,
        period_days=model.profile.period_days,
        n_train=known.num_rows,
        held_out=evaluate(model, later.held_out),
        baselines=score_baselines(known, later.held_out, hot_threshold_log2=threshold),
        learning_curve=[],
    )
