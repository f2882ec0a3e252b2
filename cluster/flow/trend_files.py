"""A trend model on files, outside a run: what is opened, and what is forecast (S700)."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from cluster.errors import IntegrityError
from cluster.storage.trend_models import read_model

if TYPE_CHECKING:
    from cluster.trend.artefact import TrendModel


def open_model(path: Path) -> "TrendModel":
    """Open a model's folder, or the file of its weights.

    Raises:
        SourceUnreadable: there is no model, or it was not written to its end.
        IntegrityError: it is damaged, or of another version of Dazzle.
    """
    from cluster.trend.artefact import load

    content = read_model(path)
    try:
        return load(content)
    except IntegrityError as error:
        raise IntegrityError(error.what, str(path), error.remedy) from None


def forecast_table(model: "TrendModel", windows: pa.Table) -> pa.Table:
    """Forecast windows, one row for each, in their order.

    Returns:
        ``item_id``: the window's ``sample_id``; ``pred_log_inc``: log2(1 + accesses over the
        horizon); ``hot_prob`` and ``surge_prob``: calibrated probabilities, 0 to 1. Figures are
        rounded as in a prediction of the service.

    Raises:
        WindowInvalid: a row cannot be a window, or the model was trained for others.
    """
    from cluster.trend.artefact import DECIMALS

    forecast = model.forecast(windows, model.features(windows))
    figures = {
        "pred_log_inc": forecast.y_W,
        "hot_prob": forecast.hot_W,
        "surge_prob": forecast.surge_W,
    }
    rounded = {name: pa.array(np.round(values, DECIMALS)) for name, values in figures.items()}
    return pa.table({"item_id": windows["sample_id"], **rounded})
