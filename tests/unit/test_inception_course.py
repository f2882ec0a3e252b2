"""How far the workers of a training of images say that they are (C2)."""

from actors.trainers.inception import Reached, _follow_features
from cluster.contracts.image_training import ImageFitConfig
from cluster.imaging.fit import ImageFitting
from tests.unit.imaging.small_images import a_lesson
from tests.unit.imaging.small_network import ColourNetwork


class Handle:
    """Stands for Ray's handle of a course: keeps what is told."""

    def __init__(self) -> None:
        self.told: list[Reached] = []
        self.reached = self

    def remote(self, state: Reached) -> None:
        self.told.append(state)


def test_the_features_of_the_head_are_counted_until_the_first_pass_is_done() -> None:
    """Two workers see as many side by side; the count ends at all, and later passes say nothing."""
    config = ImageFitConfig(image_size=75, epochs_max=1, batch_size=4)
    fitting, handle = ImageFitting(a_lesson(30), ColourNetwork(2), config), Handle()
    total = len(fitting.lesson.images)
    _follow_features(fitting, 2, handle)
    fitting.lesson.batch([0, 1, 2])
    assert handle.told == [Reached(features=6)]
    fitting.run_epoch()
    assert handle.told[-1].features == total
    number = len(handle.told)
    fitting.run_epoch()
    assert len(handle.told) == number and len(fitting.curve) == 2
