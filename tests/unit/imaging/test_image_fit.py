"""C2 B8: an image model learns, can be put away at any pass, and learns on many workers."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from small_images import SIZE, a_lesson
from small_network import ColourNetwork
from torch import Tensor

from cluster.contracts.image_training import ImageFitConfig
from cluster.errors import Conflict, ImageSetRefused, IntegrityError
from cluster.imaging.fit import ImageFitting
from cluster.imaging.schedule import rate_share
from cluster.learning.shard import Shard

CONFIG = ImageFitConfig(
    image_size=SIZE, epochs_max=3, batch_size=4, learning_rate=0.05, augmentation=0.5
)


def a_fitting(config: ImageFitConfig = CONFIG, shard: Shard | None = None) -> ImageFitting:
    return ImageFitting(a_lesson(), ColourNetwork(2, seed=7), config, shard)


def finished(fitting: ImageFitting) -> ImageFitting:
    while not fitting.finished:
        fitting.run_epoch()
    return fitting


def weights(fitting: ImageFitting) -> dict[str, Tensor]:
    return fitting.best_network().state_dict()


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_two_classes_are_learned_in_two_stages() -> None:
    """C2: the head is fitted first, then the network; what is kept tells the classes apart."""
    fitting = finished(a_fitting())
    assert [one.stage for one in fitting.curve] == ["head"] + ["fine-tuning"] * 3
    assert max(one.validation_accuracy for one in fitting.curve) == 1.0


def test_the_head_alone_leaves_the_network_as_it_was() -> None:
    """C2: of depth head nothing but the last layer changes."""
    fitting = a_fitting(CONFIG.model_copy(update={"depth": "head"}))
    before = {name: t.clone() for name, t in fitting.network.state_dict().items()}
    after = weights(finished(fitting))
    changed = {name for name, t in after.items() if not torch.equal(t, before[name])}
    head = {id(p) for p in fitting.network.head.parameters()}
    named = {name for name, p in fitting.network.named_parameters() if id(p) in head}
    assert changed == named


def test_upper_leaves_the_lower_layers_as_they_were() -> None:
    """C2: of depth upper the lower layers keep weights and statistics."""
    fitting = a_fitting(CONFIG.model_copy(update={"depth": "upper"}))
    kept = [{n: t.clone() for n, t in m.state_dict().items()} for m in fitting.network.lower()]
    finished(fitting)
    fitting.best_network()
    for before, module in zip(kept, fitting.network.lower(), strict=True):
        assert same(before, dict(module.state_dict()))


def test_a_run_goes_on_where_it_was_put_away() -> None:
    """C2: put away after any pass and taken up again, the same weights come out."""
    whole = weights(finished(a_fitting()))
    for stop in (1, 2, 3):
        first = a_fitting()
        for _ in range(stop):
            first.run_epoch()
        second = a_fitting()
        second.resume(first.checkpoint())
        assert same(whole, weights(finished(second))), stop


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused() -> None:
    """C2: other images, starting weights or settings, or a changed byte, are told."""
    fitting = a_fitting()
    fitting.run_epoch()
    content = fitting.checkpoint()
    with pytest.raises(Conflict):
        a_fitting(CONFIG.model_copy(update={"seed": 2})).resume(content)
    with pytest.raises(Conflict):
        ImageFitting(a_lesson(), ColourNetwork(2, seed=8), CONFIG).resume(content)
    with pytest.raises(IntegrityError):
        a_fitting().resume(content[:-1] + bytes([content[-1] ^ 1]))


class Pair:
    """Two processes, played by two threads that wait for each other's figures."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(2)
        self.parts: list[Tensor | None] = [None, None]

    def shard(self, rank: int) -> Shard:
        def summed(figures: Tensor) -> Tensor:
            self.parts[rank] = figures.clone()
            self.barrier.wait()
            total = sum(part for part in self.parts if part is not None)
            self.barrier.wait()
            assert isinstance(total, Tensor)
            return total

        return Shard(rank, 2, summed)


def both(work: Callable[[ImageFitting], None], config: ImageFitConfig) -> list[ImageFitting]:
    """Let two workers do the same at once; networks are drawn before, by one generator."""
    pair = Pair()
    fittings = [a_fitting(config, pair.shard(rank)) for rank in (0, 1)]
    threads = [threading.Thread(target=work, args=(one,)) for one in fittings]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return fittings


def test_two_workers_share_the_head_and_the_validation() -> None:
    """B8: two workers have one head and one validation loss, those of a single one."""
    config = CONFIG.model_copy(update={"depth": "head"})
    alone = a_fitting(config)
    alone.run_epoch()
    one, two = both(ImageFitting.run_epoch, config)
    assert one.curve[0].validation_loss == two.curve[0].validation_loss
    assert one.curve[0].validation_loss == pytest.approx(alone.curve[0].validation_loss)
    assert same(weights(one), weights(two))


def test_two_workers_have_one_average() -> None:
    """B8: after a pass all workers keep the same statistics, though each saw other images."""

    def work(fitting: ImageFitting) -> None:
        fitting._average["normalised.running_mean"] += fitting.shard.rank
        fitting._share_statistics()

    one, two = both(work, CONFIG)
    assert same(one._average, two._average)
    assert one._average["normalised.running_mean"].mean() == 0.5


def test_patience_ends_a_run_that_no_longer_improves() -> None:
    """C2: without a better validation loss for some passes a run ends, its best weights kept."""
    config = CONFIG.model_copy(update={"epochs_max": 50, "patience": 2, "learning_rate": 1e-12})
    fitting = finished(a_fitting(config))
    assert fitting.epochs < 10


def test_a_class_without_images_to_learn_from_is_refused() -> None:
    """C2: a class of too few training images, or none to validate by, is named with its number."""
    with pytest.raises(ImageSetRefused, match="training part: amber 4, blue 4"):
        a_lesson(5)
    with pytest.raises(ImageSetRefused, match="validation"):
        a_lesson(splits=("training",))


@pytest.mark.parametrize(("done", "expected"), [(0.0, 1 / 25), (0.25, 1.0), (1.0, 0.0)])
def test_the_learning_rate_rises_and_falls(done: float, expected: float) -> None:
    """C2: one cycle: a twenty-fifth at first, the highest after a quarter, nothing at the end."""
    assert rate_share(done) == pytest.approx(expected)


def test_rare_classes_weigh_more() -> None:
    """C2: the mean weight over images is 1, and a class half as frequent weighs twice as much."""
    lesson = a_lesson()
    rows = lesson.rows_of("training")
    lesson.truth_N[rows[1:5]] = 1  # 4 amber ones become blue
    fitting = ImageFitting(lesson, ColourNetwork(2), CONFIG)
    truth = lesson.truth_N[rows]
    weight_K = fitting._weight_K.numpy()
    assert weight_K[truth].mean() == pytest.approx(1.0)
    counts = np.bincount(truth)
    assert weight_K[0] / weight_K[1] == pytest.approx(counts[1] / counts[0])
