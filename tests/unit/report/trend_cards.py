"""Cards of trend models, for tests."""

from typing import Any

from cluster.contracts.trend import ReliabilityBin, ShapeCard, TrendCard, TrendMetrics

Json = dict[str, Any]


def a_shape_card(name: str = "north", *, better: float = 0.01, **changes: Any) -> ShapeCard:
    """The card of one shape of windows, whose network is so much better than the linear model."""
    linear = TrendMetrics(n=50, msle=0.5, msle_interval=(0.4, 0.6), spearman=0.7, brier=0.05)
    network = linear.model_copy(update={"msle": 0.5 - better, "median_ape": 0.25})
    content: Json = {
        "name": name,
        "n_obs": 8,
        "n_fut": 8,
        "bin_days": (1.75, 1.75),
        "n_windows": 50,
        "n_items": 40,
        "hot_threshold_log2": 5.0,
        "correction_share": 0.5,
        "held_out": network,
        "baselines": {
            "persistence": TrendMetrics(n=50, msle=4.0, msle_interval=(3.5, 4.5)),
            "linear": linear,
        },
        "better_than_linear": (better - 0.005, better + 0.005),
        "hot_reliability": (
            ReliabilityBin(n=45, stated=0.02, found=0.0),
            ReliabilityBin(n=5, stated=0.81, found=0.8),
        ),
    }
    return ShapeCard(**(content | changes))


def a_trend_card(*shapes: ShapeCard, **changes: Any) -> TrendCard:
    """The card of a first model, of these shapes or of one."""
    content: Json = {
        "version": "ab" * 32,
        "role": "first",
        "dataset_digest": "cd" * 32,
        "seed": 1,
        "epochs": 2,
        "converged": True,
        "n_train": 50,
        "shapes": shapes or (a_shape_card(),),
        "learning_curve": [(1.0, 1.5), (0.5, 1.25)],
    }
    return TrendCard(**(content | changes))
