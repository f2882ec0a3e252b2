"""What a bundle must be before it is listed."""

import json
import math
from typing import Any

import pytest
from bundle_builders import HALF, a_bundle, some_metrics

from cluster.contracts.image_models import Bundle
from cluster.errors import ModelRefused
from cluster.ids import canonical_json, sha256
from cluster.models.bundle import (
    BUNDLE_BYTES_MAX,
    bundle_bytes,
    check_bundle,
    read_bundle,
    refuse,
    version_of,
)

BUNDLE, CONTENTS = a_bundle()
Json = dict[str, Any]


def changed(path: str, value: object) -> Bundle:
    """Return the bundle with another value at a place such as ``labels.0.label``."""
    document: Any = BUNDLE.model_dump()
    *way, last = [int(one) if one.isdigit() else one for one in path.split(".")]
    place = document
    for step in way:
        place[step] = list(place[step]) if isinstance(place[step], tuple) else dict(place[step])
        place = place[step]
    place[last] = value
    return Bundle.model_validate(document)


def codes(bundle: Bundle, contents: dict[str, bytes] | None = None) -> set[tuple[str, str]]:
    found = check_bundle(bundle, CONTENTS if contents is None else contents)
    return {(one.code, one.place) for one in found}


def test_a_right_bundle_has_no_problem_and_one_version() -> None:
    """C4: the version is the digest of bundle.json, which reads back to the same bundle."""
    assert check_bundle(BUNDLE, CONTENTS) == []
    content = bundle_bytes(BUNDLE)
    assert version_of(BUNDLE) == sha256(content)
    assert read_bundle(content) == BUNDLE
    assert bundle_bytes(read_bundle(content)) == content
    refuse([])


@pytest.mark.parametrize(
    ("path", "value", "code", "place"),
    [
        ("labels.0.label", "pneumonia", "label_repeated", "labels[1]"),
        ("labels.0.label", "Pneumonia", "label_repeated", "labels[1]"),
        ("labels.0.label", "", "label", "labels[0]"),
        ("labels.0.label", "x" * 65, "label", "labels[0]"),
        ("labels.0.label", "e\u0301", "label", "labels[0]"),
        ("labels.0.label", "a\x1b[31m", "label", "labels[0]"),
        ("labels.0.label", "../a", "label", "labels[0]"),
        ("labels.0.label", " a", "label", "labels[0]"),
        ("labels.0.label", "Unknown", "label", "labels[0]"),
        ("labels.0.disease_id", "pneumonia", "disease_id", "labels[0]"),
        ("labels.0.disease_id", "A_B:1", "disease_id", "labels[0]"),
        ("labels.0.disease_id", "MONDO:../1", "disease_id", "labels[0]"),
        ("labels.0.disease_name", "pneumonia", "disease_id", "labels[0]"),
        ("labels.0.weight", math.inf, "not_finite", "labels[0].weight"),
        ("files.1.name", "model-fp32.onnx", "file_repeated", "model-fp32.onnx"),
        ("files.1.name", "bundle.json", "file_name", "bundle.json"),
        ("files.0.size", 3, "file_size", "model-fp32.onnx"),
        ("files.0.sha256", "0" * 64, "file_digest", "model-fp32.onnx"),
        ("variants.1.name", "fp32", "variant_repeated", "fp32"),
        ("variants.0.name", "int8", "variant_missing", "fp32"),
        ("variants.0.sha256", "0" * 64, "variant_file", "fp32"),
        ("variants.0.size", 1, "variant_file", "fp32"),
        ("variants.0.outside_above", math.nan, "not_finite", "variants[0].outside_above"),
        ("variants.0.outside_above", -1.0, "threshold", "fp32"),
        ("variants.1.outside_above", None, "threshold", "variants"),
        ("variants.0.agreement", 1.5, "share", "fp32"),
        ("golden.0.probabilities", (1.0,), "golden_length", "golden-1.png"),
        ("golden.0.probabilities", (0.5, 0.6), "golden_sum", "golden-1.png"),
        ("golden.0.probabilities", (-0.5, 1.5), "golden_range", "golden-1.png"),
        ("golden.0.distance", None, "golden_distance", "golden-1.png"),
        ("golden.0.file", "golden-2.png", "golden_file", "golden-2.png"),
        ("golden.0.sha256", "0" * 64, "golden_file", "golden-1.png"),
        ("golden", (*BUNDLE.golden, *BUNDLE.golden), "golden_repeated", "golden-1.png"),
        ("card.licence", " ", "text_missing", "card.licence"),
        ("card.changelog", "", "text_missing", "card.changelog"),
        ("card.intended_use", "", "text_missing", "card.intended_use"),
        ("card.made_by", "", "text_missing", "card.made_by"),
        ("card.weights.origin", "", "text_missing", "card.weights.origin"),
        ("card.name", "other", "name", "card.name"),
        ("card.temperature", 0.0, "temperature", "card.temperature"),
        ("card.config", "{", "config", "card.config"),
        ("card.metrics", some_metrics(("pneumonia", "normal")), "metrics", "card.metrics"),
        ("card.metrics.confusion", ((1, 2), (3,)), "metrics", "card.metrics"),
        ("card.metrics.kept", HALF.model_copy(update={"low": 0.6}), "metrics", "card.metrics"),
        ("card.metrics.kept", HALF.model_copy(update={"hits": 9}), "metrics", "card.metrics"),
        ("card.metrics.ece", math.nan, "not_finite", "card.metrics.ece"),
    ],
)
def test_each_problem_is_named_by_its_place(
    path: str, value: object, code: str, place: str
) -> None:
    """C4 C9: every check finds what it is for, and says where."""
    assert (code, place) in codes(changed(path, value))


def test_files_are_there_and_no_others() -> None:
    """C4: a missing file and one that nobody lists are named; bundle.json itself is neither."""
    more = {**CONTENTS, "run-me.sh": b"", "bundle.json": b"{}"}
    del more["model-int8.onnx"]
    assert codes(BUNDLE, more) == {
        ("file_missing", "model-int8.onnx"),
        ("file_not_listed", "run-me.sh"),
    }


def test_a_bundle_without_distance_is_whole() -> None:
    """C9: a model that was trained elsewhere has neither a distance nor a threshold."""
    document: Json = BUNDLE.model_dump()
    for one in document["variants"]:
        one["outside_above"] = None
    document["golden"][0]["distance"] = None
    assert check_bundle(Bundle.model_validate(document), CONTENTS) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not_json"),
        (b"\xff", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[]", "form"),
        (b'{"form":2}', "form: Input should be 1"),
        (bundle_bytes(BUNDLE).replace(b'{"card"', b'{"aa":1e999,"card"'), "not_canonical"),
        (bundle_bytes(BUNDLE).replace(b'{"card"', b'{"aa":"\\ud800","card"'), "not_canonical"),
        (b" " * (BUNDLE_BYTES_MAX + 1), "too_large"),
        (json.dumps(BUNDLE.model_dump(mode="json")).encode(), "not_canonical"),
        (bundle_bytes(BUNDLE).replace(b"3.5", b"NaN"), "not_finite"),
        (canonical_json({**BUNDLE.model_dump(mode="json"), "name": "Lungs"}).encode(), "name"),
    ],
)
def test_what_is_no_bundle_is_refused_in_a_line(content: bytes, said: str) -> None:
    """C9: unreadable, too large, of another form, or with a number that no client expects."""
    with pytest.raises(ModelRefused) as refused:
        read_bundle(content)
    assert said in str(refused.value) and len(str(refused.value)) < 1500


def test_fields_of_a_later_release_are_passed_over() -> None:
    """C4: what is listed is what was given, whatever this release knows of it."""
    document = BUNDLE.model_dump(mode="json") | {"later": 1}
    assert read_bundle(canonical_json(document).encode()) == BUNDLE


def test_an_error_names_the_first_problems() -> None:
    """C9: five in words, the rest counted."""
    document: Json = BUNDLE.model_dump()
    for name in ("licence", "changelog", "intended_use", "made_by", "backbone", "config"):
        document["card"][name] = " "
    with pytest.raises(ModelRefused, match=r"and 1 more") as refused:
        refuse(check_bundle(Bundle.model_validate(document), CONTENTS))
    assert refused.value.where == "card.licence"
