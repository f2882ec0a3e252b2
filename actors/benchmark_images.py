"""Measures image models: training by stage and workers, recognition by runtime, sizes (C2 C3 C6).

Speed does not depend on what the weights are, so SIMULATED images and random weights measure it as
well as real ones; what a model is worth is in its card.
"""

import io
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from actors.session import connected
from actors.trainers.inception import ImageTask, fit_images
from cluster.contracts.image_training import Depth, ImageFitConfig
from cluster.contracts.images import SPLITS, ImageSetManifest, StoredImage
from cluster.device.picture import prepare
from cluster.images.decode import ENCODING
from cluster.images.resize import model_pixels
from cluster.imaging.compile import CompiledNetwork, export_graph
from cluster.imaging.graph import Graph, batches
from cluster.imaging.quantise import quantise
from cluster.imaging.rejection import Rejection
from cluster.settings import Settings
from cluster.storage.blobs import BlobStore

ROUNDS: Final = 5
BATCHES: Final = (1, 8)
DEPTHS: Final[tuple[Depth, ...]] = ("upper", "all")
CALIBRATION: Final = 16
DIRECTIONS: Final = 128
PASSES: Final = 2
"""Of fine-tuning; the first one warms up, the last one counts."""
LABELS: Final = ("even", "odd")
SIDE: Final = 360
PHOTOGRAPH: Final = (4032, 3024)
PARTS: Final = {"training": 4, "validation": 1, "test": 1}

Figures = dict[str, float]


def simulated_set(settings: Settings, n_images: int) -> ImageSetManifest:
    """Store SIMULATED images of two classes, two thirds of them for training."""
    blobs, images = BlobStore.of(settings), []
    turns = [split for split in SPLITS for _ in range(PARTS[split])]
    for number in range(n_images):
        content = _drawn(number, (SIDE, SIDE))
        images.append(
            StoredImage(
                digest=blobs.put(content),
                label=LABELS[number % len(LABELS)],
                split=turns[number // len(LABELS) % len(turns)],
                group=number,
                width=SIDE,
                height=SIDE,
                media_type="image/jpeg",
                size=len(content),
            )
        )
    return ImageSetManifest(encoding=ENCODING, labels=LABELS, images=tuple(images))


def some_of(manifest: ImageSetManifest, n_images: int) -> ImageSetManifest:
    """Return so many images of a set at most, as many of each class and part as their shares."""
    if len(manifest.images) <= n_images:
        return manifest
    images = sorted(manifest.images, key=lambda one: (one.label, one.split, one.digest))
    rows = np.linspace(0, len(images) - 1, n_images).astype(int)
    return manifest.model_copy(update={"images": tuple(images[row] for row in rows)})


def benchmark_images(
    task: ImageTask, config: ImageFitConfig, workers: Sequence[int], out: Path
) -> dict[str, Any]:
    """Measure recognition in this process on one thread, then training with Ray Train.

    Args:
        task: images, starting weights, and where the images are.
        config: backbone and size; a stage's depth and number of passes are set here.
        workers: numbers of processes that train together, each measured.
        out: folder for the checkpoints of the training runs.

    Returns:
        ``recognition``: by batch size, milliseconds of one processor an image for torch,
        onnxruntime fp32 and int8, and their ratios, medians of interleaved rounds; ``picture``: the
        same from a photograph's bytes to its recognition, and shares; ``training``: by number of
        workers, images a second of each stage, with the validation of each pass; ``file_mb``;
        ``int8_instructions``: whether the processor has them, which int8 gains most by.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        local = _measure_here(task, config)
    finally:
        torch.set_num_threads(threads)
    with connected():
        training = {
            str(n): _training(task, config, n, str(out.resolve() / f"workers-{n}")) for n in workers
        }
    return {
        "backbone": config.backbone,
        "image_size": config.image_size,
        "images": len(task.manifest.images),
        "weights": task.weights.card.name,
        "int8_instructions": _has_int8_instructions(),
        **local,
        "training": training,
    }


def _measure_here(task: ImageTask, config: ImageFitConfig) -> dict[str, Any]:
    lesson, size = task.lesson(config.image_size), config.image_size
    network = task.network(config).eval()
    random = np.random.default_rng(config.seed)
    rejection = Rejection(
        *(
            random.normal(size=shape).astype(np.float32)
            for shape in (
                (network.features_size,),
                (DIRECTIONS, network.features_size),
                (len(lesson.labels), DIRECTIONS),
            )
        )
    )
    fp32 = export_graph(network, 1.0, rejection, size, {})
    pixels = lesson.pixels(lesson.rows_of("training")[:CALIBRATION])
    int8 = quantise(fp32, pixels)
    compiled, reference, small = (
        CompiledNetwork(network, 1.0, rejection),
        Graph(fp32),
        Graph(int8),
    )
    recognition = {}
    for batch in BATCHES:
        image = batches(np.resize(pixels, (batch, *pixels.shape[1:])), batch)[0]
        forms: dict[str, Callable[[], object]] = {
            "torch": partial(_torch, compiled, image),
            "fp32": partial(reference.run, image),
            "int8": partial(small.run, image),
        }
        recognition[str(batch)] = _ratios(_interleaved(forms, 1e3 / batch))
    return {
        "file_mb": {"fp32": len(fp32) / 1e6, "int8": len(int8) / 1e6},
        "recognition": recognition,
        "picture": _picture(small, size),
    }


def _torch(compiled: CompiledNetwork, image: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    with torch.inference_mode():
        compiled(torch.from_numpy(image))


def _interleaved(forms: Mapping[str, Callable[[], object]], scale: float) -> Figures:
    """Return medians of rounds in which every form has its turn; a first round is not counted."""
    rounds = [
        {name: _processor_seconds(work) for name, work in forms.items()} for _ in range(ROUNDS + 1)
    ]
    return {name: scale * statistics.median(one[name] for one in rounds[1:]) for name in rounds[0]}


def _processor_seconds(work: Callable[[], object]) -> float:
    """Return the seconds of one processor: what others do on a shared machine is not in them."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _ratios(ms: Figures) -> Figures:
    return {
        **{f"{name}_ms_per_image": value for name, value in ms.items()},
        "torch_over_fp32": ms["torch"] / ms["fp32"],
        "torch_over_int8": ms["torch"] / ms["int8"],
        "fp32_over_int8": ms["fp32"] / ms["int8"],
    }


def _picture(graph: Graph, size: int) -> Figures:
    """Measure the way of a SIMULATED photograph of 12 million pixels on a device."""
    photograph = _drawn(0, PHOTOGRAPH)
    picture = prepare(photograph)
    pixels = model_pixels(picture.image(), size)
    steps: Mapping[str, Callable[[], object]] = {
        "decode_crop_compress": lambda: prepare(photograph),
        "resize": lambda: model_pixels(picture.image(), size),
        "recognise_int8": lambda: graph.answers(pixels[None]),
    }
    ms = _interleaved(steps, 1e3)
    total = sum(ms.values())
    return {
        **{f"{name}_ms": value for name, value in ms.items()},
        **{f"{name}_share": value / total for name, value in ms.items()},
        "given_kb": len(photograph) / 1e3,
        "sent_kb": len(picture.content) / 1e3,
    }


def _training(task: ImageTask, config: ImageFitConfig, workers: int, storage: str) -> Figures:
    """Return images a second of each stage with so many workers."""
    n = sum(one.split == "training" for one in task.manifest.images)
    rates: Figures = {}
    for depth in DEPTHS:
        course = config.model_copy(update={"depth": depth, "epochs_max": PASSES})
        fitting = fit_images(
            task, course, workers=workers, storage_path=storage, tell=lambda *_: None
        )
        rates["head_images_per_s"] = n / fitting.curve[0].seconds
        rates[f"{depth}_images_per_s"] = n / fitting.curve[-1].seconds
    return rates


def _drawn(seed: int, size: tuple[int, int]) -> bytes:
    """Return a SIMULATED image as JPEG: soft colours with some noise, as a camera gives."""
    random = np.random.default_rng(seed)
    soft = Image.fromarray(random.integers(0, 256, (9, 12, 3), np.uint8))
    values = np.asarray(soft.resize(size, Image.Resampling.BICUBIC), np.int16)
    noisy = values + random.integers(-9, 10, values.shape, np.int16)
    stream = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=88)
    return stream.getvalue()


def _has_int8_instructions() -> bool | None:
    """Say whether the processor multiplies 8-bit numbers by fours; None where it does not tell."""
    facts = Path("/proc/cpuinfo")
    if not facts.is_file():
        return None
    words = set(facts.read_text(encoding="utf-8", errors="replace").split())
    return bool(words & {"avx_vnni", "avx512_vnni", "asimddp", "i8mm"})
