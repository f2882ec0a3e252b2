"""Decides whether a trained model may serve at once, or waits for an operator who looks at it (C9).

A model at the level of chance is a model all the same: it loads, answers and looks right. So what
is published by a job serves only where its figures say that it recognises something, and that it is
not clearly worse than the version that serves.
"""

import math

from cluster.contracts.image_models import Bundle, ImageMetrics

NOT_EXAMINED = "it was not examined on images with known classes"


def reasons_to_wait(candidate: Bundle, serving: Bundle | None) -> tuple[str, ...]:
    """Return why a model should not serve yet, each reason in words; none where it may.

    It has to lose less than guessing on validation images (ln K nats for K classes), and the lower
    end of its accuracy has to be above the share of the commonest class. Where another version was
    examined on the same part of the set of the same name, the two intervals have to meet.

    Args:
        candidate: as it is handed over.
        serving: of the same name; None where none serves.
    """
    metrics = candidate.card.metrics
    if metrics is None:
        return (NOT_EXAMINED,)
    reasons = [_no_better_than_guessing(candidate), _no_better_than_the_commonest(metrics)]
    if serving is not None:
        reasons.append(_clearly_worse(candidate, serving))
    return tuple(filter(None, reasons))


def _no_better_than_guessing(candidate: Bundle) -> str:
    """Compare the log loss of the pass that was taken; of figures, where no pass is known."""
    card, guess = candidate.card, math.log(len(candidate.labels))
    passes = [one.validation_loss for one in card.epochs]
    loss = min(passes) if passes else card.metrics.nll if card.metrics else math.inf
    if loss < guess:
        return ""
    return f"its validation loss is {loss:.3f}, and guessing has {guess:.3f}"


def _no_better_than_the_commonest(metrics: ImageMetrics) -> str:
    chance = max(map(sum, metrics.confusion)) / max(metrics.images, 1)
    if metrics.accuracy.low > chance:
        return ""
    return (
        f"of the {metrics.part} images it recognised {metrics.accuracy.told}, which is not surely "
        f"above the {100 * chance:.0f} % of their commonest class"
    )


def _clearly_worse(candidate: Bundle, serving: Bundle) -> str:
    new, old = candidate.card.metrics, serving.card.metrics
    if new is None or old is None or new.part != old.part:
        return ""
    if not candidate.card.data_set or candidate.card.data_set != serving.card.data_set:
        return ""
    if new.accuracy.high >= old.accuracy.low:
        return ""
    return f"it recognised {new.accuracy.told}, the version that serves {old.accuracy.told}"
