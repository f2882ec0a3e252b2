"""Windows put before a network, with what came after them and who keeps which apart (A6).

Shapes: W windows, R rows of them, M members, O outputs.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cluster.trend.features import Features
from cluster.trend.folds import Folds
from cluster.trend.labels import Labels
from cluster.trend.windows import Floats, Mask, Rows


@dataclass(frozen=True)
class Exam:
    """Windows that a network may learn from or be scored on."""

    features: Features
    labels: Labels
    folds: Folds
    place_W: Rows
    """Place of each window's shape in the network."""
    items: "pa.ChunkedArray[Any]"

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.place_W)

    def targets_WO(self) -> NDArray[np.float32]:
        """Return y and both labels, shape [W, O]."""
        columns = [self.labels.y_W, self.labels.hot_W, self.labels.surge_W]
        return np.column_stack(columns).astype(np.float32)

    def item_codes(self) -> Rows:
        """Return the number of each window's item, windows of another shape apart, shape [W]."""
        code_W = pc.index_in(self.items, value_set=pc.unique(self.items)).to_numpy()
        _, number_W = np.unique(
            code_W.astype(np.int64) * (self.place_W.max(initial=0) + 1) + self.place_W,
            return_inverse=True,
        )
        return np.asarray(number_W.reshape(-1), dtype=np.int64)

    def kept_apart(self, by_member_MWO: Floats) -> Floats:
        """Take each window's figures from the member that keeps its item apart.

        Args:
            by_member_MWO: shape [M, W], or with more dimensions after these.

        Returns:
            The same without the first dimension.
        """
        return np.asarray(by_member_MWO[self.folds.member_W, np.arange(len(self))])

    def at(self, rows: Rows | Mask) -> "Exam":
        """Return some of the windows, in the order of the rows."""
        places: Rows = np.arange(len(self))[rows]
        features, came = self.features, self.labels
        return Exam(
            features=replace(
                features,
                inputs_WF=features.inputs_WF[rows],
                shape_W=features.shape_W[rows],
                clicks_mean_W=features.clicks_mean_W[rows],
                usages_mean_W=features.usages_mean_W[rows],
                bin_days_W=features.bin_days_W[rows],
                propagation_W=features.propagation_W[rows],
            ),
            labels=Labels(
                came.y_W[rows], came.growth_W[rows], came.hot_W[rows], came.surge_W[rows]
            ),
            folds=self.folds.at(rows),
            place_W=self.place_W[rows],
            items=self.items.take(places),
        )
