"""Which model is proposed for a disease, and which version a name means."""

from typing import Any

import pytest
from device_builders import DISEASE, a_bundle, listed
from hypothesis import given
from hypothesis import strategies as st

from cluster.contracts.image_models import ListedModel, ModelList
from cluster.device.choose import disease_named, propose, variant_named, version_named
from cluster.errors import InputError, NotFound
from cluster.imaging.metrics import wilson

BUNDLE, _ = a_bundle()


def a_model(name: str, **changes: Any) -> ListedModel:
    return listed(BUNDLE, name=name, **changes)


def a_list(*models: ListedModel) -> ModelList:
    return ModelList(made_at=0.0, models=models)


def test_the_best_comes_first() -> None:
    """C10: by what the accuracy surely is, then accuracy, AUROC and size; what nobody has measured
    comes last. All of four images recognised is not better than 95 of 100.
    """
    models = a_list(
        a_model("unmeasured", accuracy=None),
        a_model("large", accuracy=0.9, macro_auroc=0.99, sizes={"int8": 99}),
        a_model("worse", accuracy=0.8, macro_auroc=0.99),
        a_model("small", accuracy=0.9, macro_auroc=0.99, sizes={"int8": 9}),
        a_model("sharper", accuracy=0.9, macro_auroc=0.995),
        a_model("few", accuracy=1.0, accuracy_interval=wilson(4, 4)),
        a_model("many", accuracy=0.95, accuracy_interval=wilson(95, 100)),
    )
    names = [one.name for one in propose(models, DISEASE)]
    assert names == ["many", "few", "sharper", "small", "large", "worse", "unmeasured"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (DISEASE.lower(), ["a"]),
        ("Redness", ["a"]),
        ("viral PNEUMONIA", ["b"]),
        ("pneumonia_viral", ["b"]),
        ("MONDO:9999999", []),
        ("fever", []),
        ("", ["a", "b"]),
    ],
)
def test_models_are_found_by_id_and_words(wanted: str, found: list[str]) -> None:
    """C4 C10: an id, or all words of diseases, classes and names, whatever their case."""
    other = a_model("b", diseases=(), disease_names=(), labels=("viral_pneumonia", "normal"))
    assert [one.name for one in propose(a_list(a_model("a"), other), wanted)] == found


def test_only_what_serves_is_proposed() -> None:
    """C10: no retired, refused or earlier version is proposed."""
    models = a_list(
        a_model("a", serving=False),
        a_model("b", state="retired", serving=False),
        a_model("c", state="refused", serving=False),
        a_model("d"),
    )
    assert [one.name for one in propose(models)] == ["d"]


def test_a_name_means_the_serving_version() -> None:
    """C5 C11: after a roll-back the earlier version is meant; a number names any published one."""
    models = a_list(
        a_model("a", number=1),
        a_model("a", number=2, serving=False),
        a_model("a", number=3, state="retired", serving=False, reason="wrong"),
    )
    assert version_named(models, "a").number == 1
    assert version_named(models, "a@2").number == 2
    for name, word in (
        ("a@3", "retired: wrong"),
        ("a@4", "Published are: 1, 2"),
        ("b", "There are: a."),
    ):
        with pytest.raises(NotFound, match=word):
            version_named(models, name)
    with pytest.raises(InputError):
        version_named(models, "a@x")


def test_a_name_of_which_no_version_serves_is_said_to_be_so() -> None:
    """C5 C11: it is not told as missing; the newest version that is published is named."""
    models = a_list(
        *(a_model("a", number=n, serving=False) for n in (1, 2)),
        a_model("a", number=3, state="retired", serving=False, reason="wrong"),
    )
    with pytest.raises(NotFound, match="no version of a serves; a@2 is published"):
        version_named(models, "a")
    assert version_named(models, "a@2").number == 2


def test_a_disease_is_named_by_its_name() -> None:
    """C8: a name of the list leads to its id; a name of several or none is an error."""
    models = a_list(a_model("a"), a_model("b", diseases=("X:1",), disease_names=("twice",)))
    assert disease_named(models, " REDNESS ") == DISEASE
    assert disease_named(models, "Y:2") == "Y:2"
    both = a_list(*models.models, a_model("c", diseases=("X:2",), disease_names=("twice",)))
    for text in ("nothing", "twice"):
        with pytest.raises(NotFound, match="Give the id"):
            disease_named(both, text)


def test_variants_are_two() -> None:
    """C3: another word is an error that names both."""
    assert variant_named("int8") == "int8"
    with pytest.raises(InputError, match="int8 or fp32"):
        variant_named("fp16")


@given(st.text(max_size=20))
def test_any_words_are_taken(wanted: str) -> None:
    """C10: whatever is typed finds models or none, and never fails."""
    assert len(propose(a_list(a_model("a")), wanted)) <= 1
