"""Training and search of image models on a real Ray."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from image_sets import divided_set

from cluster.contracts.image_models import Epoch
from cluster.contracts.image_search import ImageSearchPlan
from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.images import (
    ClassCounts,
    DataSetCard,
    ImageSetManifest,
    StoredImage,
    StoredImageSet,
)
from cluster.contracts.trend_search import Candidate
from cluster.errors import ImageSetRefused, NotFound
from cluster.ids import sha256
from cluster.images.examine import manifest_bytes
from cluster.images.splits import place_of
from cluster.imaging.search import plan_search
from cluster.settings import Settings, load_settings
from cluster.storage.blobs import BlobStore
from cluster.storage.image_sets import ImageSets
from cluster.storage.starting_weights import resolve_weights

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
CONFIG = ImageFitConfig(
    backbone="efficientnet_lite0", image_size=75, epochs_max=1, batch_size=8, seed=3
)


def a_task(folder: Path, labels: Sequence[str] = ("amber", "blue", "clear")) -> Any:
    """A stored set and random weights, as a trainer takes them."""
    from actors.trainers.inception import ImageTask

    settings = load_settings({"data_dir": str(folder / "data")})
    manifest = store(settings, divided_set(tuple(labels))).manifest("cells")
    weights = resolve_weights("efficientnet_lite0", "none", lambda _: {})
    return ImageTask(manifest, weights, settings)


def store(settings: Settings, files: dict[str, bytes]) -> ImageSets:
    images = [
        StoredImage(
            digest=sha256(content),
            label=name.partition("/")[0],
            split=place_of(sha256(f"file:{sha256(content)}".encode())),
            group=n,
            width=80,
            height=72,
            media_type="image/png",
            size=len(content),
        )
        for n, (name, content) in enumerate(sorted(files.items()))
    ]
    labels = tuple(sorted({image.label for image in images}))
    manifest = ImageSetManifest(encoding="test", labels=labels, images=tuple(images))
    counts = (ClassCounts(name=n, files=14, training=8, validation=3, test=3) for n in labels)
    digest = sha256(manifest_bytes(manifest))
    card = DataSetCard(accepted=True, digest=digest, classes=tuple(counts))
    sets = ImageSets.of(settings)
    sets.put("cells", card, manifest, files.values(), 1.0)
    return sets


@pytest.mark.parametrize(
    ("nodes", "n", "use_gpu", "share"),
    [
        ([(2, 0)], 1, False, 2),
        ([(2, 0)], 2, False, 1),
        ([(2, 0)], 3, False, 0.5),
        ([(4, 0), (4, 0)], 1, False, 4),
        ([(4, 0), (4, 0)], 3, False, 2),
        ([(8, 0), (2, 0)], 2, False, 4),
        ([(16, 2), (64, 0)], 2, True, 8),
    ],
)
def test_processors_are_shared_out(
    nodes: list[tuple[float, float]], n: int, use_gpu: bool, share: float
) -> None:
    """B8: as many whole processors for each worker as fit side by side, none across two nodes."""
    from actors.trainers.course import share_of_cpus

    assert share_of_cpus(nodes, n, use_gpu=use_gpu) == share


@pytest.mark.usefixtures("ray_cluster")
def test_two_workers_learn_one_network(tmp_path: Path) -> None:
    """B8: gloo joins two processes, each with its share of a batch; after every pass both have the
    same weights, and what they hand over can be gone on with.
    """
    import ray

    from actors.trainers.course import TrainRun, own_shard, parallel, report_pass, take_up, train

    task = a_task(tmp_path)

    def worker(told: dict[str, Any]) -> None:
        shard = own_shard()
        fitting = ray.get(told["task"]).begin(CONFIG, shard, "cpu", parallel)
        assert shard.world == 2
        while not fitting.finished:
            fitting.run_epoch()
            learned = [t for t in fitting.network.parameters() if t.requires_grad]
            mine = torch.cat([t.detach().flatten() for t in learned]).double()
            both = shard.sum_over_ranks(mine.clone())
            assert torch.equal(both, 2 * mine)
            report_pass(fitting, {"loss": 0.0}, is_first=shard.rank == 0)

    run = TrainRun("two", str(tmp_path / "runs"), workers=2)
    checkpoint = train(worker, {"task": ray.put(task)}, run)
    fitting = task.begin(CONFIG)
    before = fitting.network.head.weight.detach().clone()
    take_up(fitting, checkpoint, run.place)
    assert [one.stage for one in fitting.curve] == ["head", "fine-tuning"]
    assert not torch.equal(fitting.best_network().head.weight, before)


@pytest.mark.usefixtures("ray_cluster")
def test_an_error_of_a_worker_keeps_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C2: an image that is gone, or a class with too few, is told as what it is; the latter before
    any process is started.
    """
    from actors.trainers import course
    from actors.trainers.inception import fit_images

    monkeypatch.setattr(course, "FAILURES_MAX", 0)  # it fails each time
    task = a_task(tmp_path)
    told: list[tuple[int, int, Epoch]] = []

    def fit(size: int = 75) -> None:
        config = CONFIG.model_copy(update={"image_size": size})
        place = str(tmp_path / "runs")
        fit_images(task, config, workers=1, storage_path=place, tell=lambda *one: told.append(one))

    missing = next(one for one in task.manifest.images if one.split == "training")
    path = BlobStore.of(task.settings).local_path(missing.digest)
    assert path is not None
    path.unlink()
    with pytest.raises(NotFound, match=missing.digest):
        fit()
    few = [one for one in task.manifest.images if one.split == "training"][:4]
    manifest = task.manifest.model_copy(update={"images": tuple(few)})
    task = type(task)(manifest, task.weights, task.settings)
    before = list((tmp_path / "runs").iterdir())
    with pytest.raises(ImageSetRefused, match="under 5 images"):
        fit()
    assert list((tmp_path / "runs").iterdir()) == before and not told


def a_plan(manifest: ImageSetManifest, n: int) -> ImageSearchPlan:
    stored = StoredImageSet(
        name="cells", digest="d", stored_at=1.0, card=DataSetCard(accepted=True)
    )
    return plan_search(stored, manifest, ("none", ""), CONFIG, n)


@pytest.mark.usefixtures("ray_cluster")
def test_trials_are_judged_and_a_failed_one_ends_nothing(tmp_path: Path) -> None:
    """B7: the default and another configuration are trained side by side and put in order by
    validation loss; one that cannot be is last, with its code.
    """
    from actors.tuners.inception import search_images

    task = a_task(tmp_path)
    plan = a_plan(task.manifest, 1)
    default = plan.candidates[0]
    rigged = {"head": {"depth": "head"}, "broken": {"batch_size": 0}}
    others = [Candidate(id=name, values=default.values | new) for name, new in rigged.items()]
    plan = plan.model_copy(update={"candidates": (default, *others)})
    told: list[tuple[str, int]] = []
    found = search_images(
        task, plan, storage_path=tmp_path / "t", tell=lambda one, done: told.append((one.id, done))
    )
    trials = {trial.id: trial for trial in found.trials}
    assert (trials["broken"].state, trials["broken"].error) == ("failed", "setting_invalid")
    assert found.trials[-1].id == "broken" and sorted(done for _, done in told) == [1, 2, 3]
    assert [(trials[one].state, trials[one].epochs) for one in ("trial-00", "head")] == [
        ("finished", 2),
        ("finished", 1),
    ]
    fitting = task.begin(CONFIG)
    while not fitting.finished:
        fitting.run_epoch()
    best = min(fitting.curve, key=lambda one: one.validation_loss)
    assert trials["trial-00"].validation_loss == pytest.approx(best.validation_loss, rel=0.05)
    assert trials["head"].validation_loss == pytest.approx(fitting.curve[0].validation_loss, 0.05)
    assert trials["head"].validation_accuracy == fitting.curve[0].validation_accuracy
