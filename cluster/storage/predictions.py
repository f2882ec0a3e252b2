"""The lineage of predictions in the trend ledger: which model said what of which inputs (A7)."""

from collections.abc import Iterable

from sqlalchemy import Connection, func, select
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


def count_predictions(tx: Connection) -> int:
    """Return how many predictions are kept."""
    return int(tx.execute(select(func.count()).select_from(predictions)).scalar_one())
