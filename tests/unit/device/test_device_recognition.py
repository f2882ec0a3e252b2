"""Recognition with a real model file, and the check that it runs right here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_builders import (
    COLOURS,
    DISEASE,
    SIZE,
    WHITE,
    a_bundle,
    a_golden,
    a_graph,
    a_picture_of,
    listed,
    write_public,
)

from cluster.clock import ManualClock
from cluster.contracts.image_models import UNKNOWN, Recognition
from cluster.device import recognise as recognise_module
from cluster.device.cache import Cache
from cluster.device.client import Device
from cluster.device.recognise import Recogniser
from cluster.device.source import open_source
from cluster.errors import IntegrityError
from cluster.images.resize import model_pixels
from cluster.models.bundle import bundle_bytes, version_of


def opened(tmp_path: Path, variant: Any = "fp32", **changes: Any) -> Recogniser:
    bundle, files = a_bundle(**changes)
    tree = write_public(tmp_path / "public", [listed(bundle)], files)
    clock = ManualClock(1.0)
    device = Device(Cache(tmp_path / "cache", clock), open_source(str(tree)), clock)
    with device.model("colours", variant) as fetched:
        return device.recogniser(fetched, threads=1)


def test_pictures_are_recognised(tmp_path: Path) -> None:
    """C7: each picture of a batch gets its class, and R carries what it was made by."""
    made = opened(tmp_path)
    named = [*COLOURS.items()] * 4  # more than one batch
    pictures = [made.pixels(a_picture_of(colour, n)) for n, (_, colour) in enumerate(named)]
    results = made.recognise(pictures)
    assert [one.label for one in results] == [label for label, _ in named]
    first = results[0]
    assert (first.model, first.version) == ("colours", version_of(made.bundle))
    assert (first.variant, first.disease_id) == ("fp32", DISEASE)
    assert sum(first.probabilities.values()) == pytest.approx(1)
    assert first.probability == first.probabilities["red"] > 0.9
    alone = [made.recognise([one])[0].probability for one in pictures]
    assert np.allclose(alone, [one.probability for one in results], atol=1e-6)


def test_another_kind_is_outside(tmp_path: Path) -> None:
    """C10: an image of another kind is unknown, with how far it is."""
    (found,) = (made := opened(tmp_path)).recognise([made.pixels(a_picture_of(WHITE))])
    assert (found.label, found.disease_id, found.outside) == (UNKNOWN, "", True)
    assert found.distance_ratio is not None and found.distance_ratio > 1


def test_nothing_of_the_picture_is_in_the_result() -> None:
    """C7: R has a model, a class and numbers, and no field for anything else."""
    assert set(Recognition.model_fields) == {
        *("model", "version", "variant", "label", "disease_id", "probability"),
        *("outside", "distance_ratio", "probabilities"),
    }


def test_a_wrong_resize_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C3: a device whose resize differs does not use the model at all."""

    def nearest(image: Any, size: int) -> Any:
        return np.asarray(image.resize((size, size), 0))

    monkeypatch.setattr(recognise_module, "model_pixels", nearest)
    with pytest.raises(IntegrityError, match="pixels after the resize"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("variant", "change", "word"),
    [
        ("fp32", {"probabilities": (0.6, 0.3, 0.1)}, "probabilities"),
        ("fp32", {"probabilities": (0.5, 0.5)}, "probabilities"),
        ("int8", {"probabilities": (0.6, 0.3, 0.1)}, "probabilities"),
        ("fp32", {"distance": 0.9}, "distance"),
    ],
)
def test_other_numbers_are_found_out(
    tmp_path: Path, variant: str, change: dict[str, Any], word: str
) -> None:
    """C3: probabilities or a distance out of tolerance on this device stop the model."""
    with pytest.raises(IntegrityError, match=word):
        opened(tmp_path, variant, **change)


def test_int8_may_differ_by_what_was_measured(tmp_path: Path) -> None:
    """C3: int8 answers are allowed the change that the bundle tells, and fp32 ones are not."""
    golden, _ = a_golden()
    p = golden.probabilities
    shifted = {"probabilities": (p[0] - 0.05, p[1] + 0.05, p[2])}
    assert opened(tmp_path / "a", "int8", **shifted).variant.name == "int8"
    with pytest.raises(IntegrityError):
        opened(tmp_path / "b", "fp32", **shifted)


def test_the_check_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C3 C5: a version that was checked here is not checked again; a check that fails is."""
    calls: list[str] = []
    check = Recogniser.check_golden

    def counted(self: Recogniser, golden: Any, content: bytes) -> None:
        calls.append(golden.file)
        check(self, golden, content)

    monkeypatch.setattr(Recogniser, "check_golden", counted)
    opened(tmp_path / "a")
    opened(tmp_path / "a")
    assert calls == ["golden-red.png"]
    for _ in range(2):
        with pytest.raises(IntegrityError):
            opened(tmp_path / "b", distance=0.9)
    assert len(calls) == 3


@pytest.mark.parametrize("graph", [b"no model", a_graph(size=SIZE * 2)])
def test_a_file_that_is_no_such_model_is_refused(tmp_path: Path, graph: bytes) -> None:
    """C7: a file that cannot be run, or takes other pictures than its bundle says, is an error."""
    with pytest.raises(IntegrityError, match="server"):
        opened(tmp_path, graph=graph)


def test_a_model_with_the_reference_only_is_used_by_it(tmp_path: Path) -> None:
    """C5: an uploaded model that has no int8 file runs by its fp32 file, and R says so."""
    bundle, files = a_bundle()
    bare = bundle.model_copy(update={"variants": bundle.variants[:1]})
    files[version_of(bare)] = bundle_bytes(bare)
    tree = write_public(tmp_path / "public", [listed(bare)], files)
    clock = ManualClock(1.0)
    device = Device(Cache(tmp_path / "cache", clock), open_source(str(tree)), clock)
    with device.model("colours", "int8") as fetched:
        made = device.recogniser(fetched)
        assert made.recognise([model_pixels(a_picture_of(WHITE), SIZE)])[0].variant == "fp32"
