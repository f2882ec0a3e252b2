"""A training run of an image model in its folder."""

from pathlib import Path

import pytest

from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.images import ClassCounts, DataSetCard, ImageSetManifest
from cluster.errors import Conflict, InputError, IntegrityError
from cluster.settings import Settings
from cluster.storage.blobs import BlobStore
from cluster.storage.image_runs import RUN, ImageRun, open_run, read_result
from cluster.storage.image_sets import ImageSets
from jobs.image_intake import stored_set
from jobs.shell import bound_from

ASKED = ImageRun(
    name="cells",
    data_set="cells",
    data_set_digest="d",
    weights="w",
    weights_sha256="s",
    config=ImageFitConfig(epochs_max=16),
    bound={"a": ("", "")},
    licence="CC0",
    attribution="",
    changelog="new",
    begun_at=5.0,
)


def test_a_run_is_begun_once(tmp_path: Path) -> None:
    """C2: the same command later goes on with the same run, whose time of begin stays."""
    assert open_run(tmp_path, ASKED) == ASKED
    later = ASKED.model_copy(update={"begun_at": 9.0, "data_set": "renamed"})
    assert open_run(tmp_path, later) == ASKED
    assert read_result(tmp_path, BlobStore(str(tmp_path / "blobs"))) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"data_set_digest": "e"}, r"with other images \("),
        ({"weights_sha256": "t"}, r"with other starting weights \("),
        ({"bound": {"a": ("X:1", "x")}}, r"with other diseases of the classes \("),
        ({"config": ImageFitConfig(epochs_max=3)}, "with other epochs_max: 16, not 3"),
        ({"licence": "MIT"}, "with other licence: CC0, not MIT"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    """C2: two runs are never mixed; what differs is named."""
    open_run(tmp_path, ASKED)
    with pytest.raises(Conflict, match=said):
        open_run(tmp_path, ASKED.model_copy(update=changed))


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    """C2: with what to do; a result that cannot be read counts as none."""
    (tmp_path / RUN).write_text("{}")
    with pytest.raises(IntegrityError, match="damaged"):
        open_run(tmp_path, ASKED)
    (tmp_path / "bundle.json").write_text("{}")
    assert read_result(tmp_path, BlobStore(str(tmp_path / "blobs"))) is None


def test_classes_are_bound_by_name() -> None:
    """C8: CLASS=ID, the class with any sign but the last =; an empty id is no disease."""
    assert bound_from(["a=MONDO:1", "b=", "c=d=X:2"]) == {"a": "MONDO:1", "b": "", "c=d": "X:2"}
    for pairs in (["a"], ["=X:1"], ["a=X:1", "a=X:2"]):
        with pytest.raises(InputError, match="CLASS=ID"):
            bound_from(pairs)


@pytest.mark.parametrize("name", ["unknown", "a:b", "x" * 65])
def test_a_stored_set_whose_class_no_model_may_have_is_refused(tmp_path: Path, name: str) -> None:
    """C2 C5: also one that an earlier release stored, before a model learns from it for hours."""
    chosen = Settings(data_dir=tmp_path)
    labels = (name, "other")
    counts = tuple(
        ClassCounts(name=one, files=9, training=7, validation=1, test=1) for one in labels
    )
    card = DataSetCard(accepted=True, split_by="near-duplicates", classes=counts, digest="d" * 64)
    manifest = ImageSetManifest(encoding="png", labels=labels, images=())
    ImageSets.of(chosen).put("cells", card, manifest, (), 1.0)
    with pytest.raises(InputError, match=r"class 1, .* the label "):
        stored_set("cells", tmp_path / "out", "cells", None, chosen)
