"""A search for a configuration of an image model with Ray Tune (C2, B7).

How trials are run, stopped and gone on with is in ``actors.tuners.halving``; what is drawn is
decided in ``cluster.imaging.search``. A trial is one process, with a GPU where the cluster has
them; else trials share the processors, as many side by side as there are.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from ray import tune

from actors.trainers.course import most_memory, nodes_here, share_of_cpus
from actors.trainers.inception import ImageTask
from actors.tuners.halving import Pace, gone_on, report_trial, search
from cluster.contracts.image_search import ImageSearch, ImageSearchPlan, ImageTrial
from cluster.imaging.fit import ImageFitting
from cluster.imaging.search import best_pass, config_of
from cluster.learning.search import ranked

GRACE_EPOCHS: Final = 4
"""Passes that every trial has before it is compared with others; the first is that of the head."""
MEMORY: Final = 2.5 * (1 << 30)
"""Bytes of a trial: InceptionV3 on 32 images of 299 pixels takes 2 GB. Where there is less than
that for each processor, fewer trials run side by side."""

Tell = Callable[[ImageTrial, int], None]
"""Is told of each trial that ended, and how many have."""


def search_images(
    task: ImageTask, plan: ImageSearchPlan, *, storage_path: Path, tell: Tell
) -> ImageSearch:
    """Try configurations of an image model, and put them in order by validation images.

    Args:
        task: images and starting weights.
        plan: of the search. A configuration that fails is shown as such and ends nothing else.
        storage_path: folder that all nodes reach; what is there of the same search is gone on with.
        tell: is told of each trial that ends.

    Returns:
        The search with all its trials, best first.

    Raises:
        ImageSetRefused: a class has too few images.
        WeightsInvalid: the starting weights do not fit.
        Fault: Ray lost a trial.
    """
    task.begin(plan.base)  # what cannot be learned from starts no process
    nodes = nodes_here()
    n_gpus = int(sum(gpus for _, gpus in nodes))
    processors = max(int(sum(cpus for cpus, _ in nodes)), 1)
    concurrent = min(n_gpus or processors, len(plan.candidates))
    cpus = share_of_cpus(nodes, concurrent, use_gpu=n_gpus > 0)
    trainable = tune.with_resources(
        tune.with_parameters(
            train_trial, task=task, plan=plan, device="cuda" if n_gpus else "cpu", cpus=cpus
        ),
        {"cpu": cpus, "gpu": 1 if n_gpus else 0, "memory": min(MEMORY, most_memory())},
    )
    found = search(
        trainable,
        plan.candidates,
        storage_path,
        Pace(1 + plan.base.epochs_max, GRACE_EPOCHS, concurrent),
        lambda fields, done: tell(ImageTrial(**fields), done),
    )
    return ImageSearch(plan=plan, trials=ranked(ImageTrial(**fields) for fields in found))


def train_trial(
    config: dict[str, Any], *, task: ImageTask, plan: ImageSearchPlan, device: str, cpus: float
) -> None:
    """Train one configuration to its end, and report every pass."""
    torch.set_num_threads(max(int(cpus), 1))
    chosen = config_of(config["trial"]["values"], plan.base)
    fitting = task.begin(chosen, device=device)
    curve = gone_on(fitting)
    if fitting.finished:
        _report(fitting, curve)  # its process died between the last report and the end
    while not fitting.finished:
        fitting.run_epoch()
        curve.append((fitting.epochs, fitting.curve[-1].validation_loss))
        _report(fitting, curve)


def _report(fitting: ImageFitting, curve: list[tuple[int, float]]) -> None:
    """Report a pass, by which trials are compared, and the best one, by which they are judged.

    Early passes of all trials are behind that of the head, so the best tells them apart too late.
    """
    best = best_pass(fitting.curve)
    judged = {"validation_loss": best.validation_loss}
    report_trial(fitting, curve, judged | {"validation_accuracy": best.validation_accuracy})
