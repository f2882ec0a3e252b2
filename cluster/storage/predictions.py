"""The lineage of predictions in the trend ledger: which model said what of which inputs (A7)."""

from collections.abc import Iterable

from sqlalchemy import Connection, func, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from cluster.contracts.trend import Prediction
from cluster.storage.tables import predictions


def put_predictions(tx: Connection, made: Iterable[Prediction]) -> None:
    """Keep predictions, each once: a model says one thing of the same inputs."""
    rows = [
        {
            "model_version": prediction.model_version,
            "inputs_digest": prediction.inputs_digest,
            "item_id": prediction.item_id,
            "prediction": prediction.model_dump_json(),
        }
        for prediction in made
    ]
    if rows:
        tx.execute(insert(predictions).on_conflict_do_nothing(), rows)


def unlike_kept(tx: Connection, told: Iterable[Prediction]) -> list[tuple[str, str]]:
    """Return (model version, digest of the inputs) of predictions that were not kept as told."""
    columns = (predictions.c.model_version, predictions.c.inputs_digest)
    unlike = []
    for prediction in told:
        key = (prediction.model_version, prediction.inputs_digest)
        chosen = select(predictions.c.prediction).where(tuple_(*columns) == key)
        kept = tx.execute(chosen).scalar()
        if kept is None or Prediction.model_validate_json(kept) != prediction:
            unlike.append(key)
    return unlike


def count_predictions(tx: Connection) -> int:
    """Return how many predictions are kept."""
    return int(tx.execute(select(func.count()).select_from(predictions)).scalar_one())
