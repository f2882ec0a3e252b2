"""What the trend models of a run came to, in sentences."""

from cluster.contracts.result import FlowResult
from cluster.contracts.trend import N_OBS, ShapeCard
from cluster.report.readings import number


def waiting_sentences(result: FlowResult) -> list[str]:
    """Say which platforms' cases wait, as the first model was not trained for their periods."""
    found = []
    for one in result.platforms:
        days = one.period.period_days
        shapes = result.first_model.shapes
        if one.screening.rare and not any(shape.covers(days / N_OBS) for shape in shapes):
            trained = " or ".join(_periods(shape) for shape in shapes)
            found.append(
                f"{one.platform}: no decisions in periods of {number(days)} days, as the trend "
                f"model was trained for {trained}."
            )
    return found


def _periods(shape: ShapeCard) -> str:
    low, high = (number(days * shape.n_obs) for days in shape.bin_days)
    return f"{low} to {high} days" if low != high else f"{low} days"


def update_sentence(result: FlowResult) -> str:
    """Say in one sentence what the incremental update came to (S540-S550)."""
    update = result.update
    kept = "accepted" if update.accepted else "not accepted"
    return f"Second model {kept}: {update.reason or 'no reason was given'}."
