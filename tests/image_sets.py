"""A small set of images whose parts are known beforehand."""

from collections import Counter
from collections.abc import Mapping

from image_builders import an_image

from cluster.contracts.images import Split
from cluster.ids import sha256
from cluster.images.splits import place_of

PARTS: Mapping[Split, int] = {"training": 8, "validation": 3, "test": 3}


def divided_set(labels: tuple[str, ...] = ("amber", "blue", "clear")) -> dict[str, bytes]:
    """Files by name: in each class as many images of each part as ``PARTS`` says."""
    files: dict[str, bytes] = {}
    for at, label in enumerate(labels):
        wanted, seed = Counter(PARTS), 1000 * at
        while wanted.total():
            content = an_image(seed, "PNG")
            part = place_of(sha256(f"file:{sha256(content)}".encode()))
            if wanted[part]:
                wanted[part] -= 1
                files[f"{label}/{seed}.png"] = content
            seed += 1
    return files
