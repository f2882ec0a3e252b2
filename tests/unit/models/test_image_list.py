"""Which version of a model may be fetched, and which one serves."""

import pytest
from bundle_builders import a_bundle

from cluster.contracts.image_models import ListedModel, ModelList
from cluster.contracts.registry import Action, ModelChange
from cluster.errors import Conflict, InputError, NotFound
from cluster.models.bundle import version_of
from cluster.models.image_list import chosen, entry_of, is_change, list_of, public_part

BUNDLES = [a_bundle(text=str(n))[0] for n in (1, 2, 3)]
VERSIONS = [version_of(one) for one in BUNDLES]


def the_list(*history: tuple[int, Action]) -> ModelList:
    """Return the list after changes of versions, which are counted from 1."""
    known = dict.fromkeys(n for n, _ in history)
    entries = [entry_of(BUNDLES[n - 1], VERSIONS[n - 1], "", {}, float(n)) for n in known]
    changes = [
        ModelChange(
            name="lungs", version=VERSIONS[n - 1], action=action, at=10.0 + step, by="test",
            reason=f"for {step}",
        )
        for step, (n, action) in enumerate(history)
    ]  # fmt: skip
    return list_of(entries, changes)


def shown(models: ModelList) -> list[tuple[int, str, bool]]:
    return [(one.number, one.state, one.serving) for one in models.models]


def model(state: str, *, serving: bool = False) -> ListedModel:
    entry = entry_of(BUNDLES[0], VERSIONS[0], "", {}, 1.0)
    return entry.model_copy(update={"state": state, "serving": serving})


def test_the_newest_published_version_serves() -> None:
    """C4: one after the other; a version that waits does not serve."""
    models = the_list((1, "published"), (2, "published"), (3, "pending"))
    assert shown(models) == [
        (1, "published", False), (2, "published", True), (3, "pending", False),
    ]  # fmt: skip
    assert models.made_at == 12.0


def test_an_older_version_that_is_accepted_late_does_not_take_over() -> None:
    """C9: acceptance is no roll-back."""
    models = the_list((1, "pending"), (2, "published"), (1, "published"))
    assert shown(models) == [(1, "published", False), (2, "published", True)]


def test_a_version_that_is_published_after_a_roll_back_serves() -> None:
    """C4: newer than what serves is enough."""
    rolled = ((1, "published"), (2, "published"), (1, "served"))
    assert shown(the_list(*rolled)) == [(1, "published", True), (2, "published", False)]
    assert shown(the_list(*rolled, (3, "published")))[2] == (3, "published", True)


def test_retirement_falls_back_to_the_newest_earlier_one() -> None:
    """C4: never to a newer one that was rolled back from; none serves where there is none."""
    models = the_list((1, "published"), (2, "published"), (3, "published"), (3, "retired"))
    assert shown(models)[1:] == [(2, "published", True), (3, "retired", False)]
    assert models.models[2].reason == "for 3"
    models = the_list((1, "published"), (2, "published"), (1, "served"), (1, "retired"))
    assert shown(models) == [(1, "retired", False), (2, "published", False)]


def test_a_version_that_waits_says_why_until_it_is_published() -> None:
    """C9: the reason of the last change is shown; what serves has none."""
    assert the_list((1, "pending")).models[0].reason == "for 0"
    assert the_list((1, "pending"), (1, "published")).models[0].reason == ""


def test_an_entry_has_the_images_of_its_accuracy() -> None:
    """C4: what is listed says of how many images a share is, and whether it rejects any."""
    entry = entry_of(BUNDLES[0], VERSIONS[0], "", {}, 1.0)
    assert entry.accuracy_told == "36 of 40, 90 % (77–96)" and entry.tells_outside
    bare = [one.model_copy(update={"outside_above": None}) for one in BUNDLES[0].variants]
    uploaded = BUNDLES[0].model_copy(update={"variants": tuple(bare)})
    assert entry_of(uploaded, VERSIONS[0], "", {}, 1.0).tells_outside is False


def test_the_public_part_has_what_everybody_may_know() -> None:
    """C9: nothing of what waits, was refused, or lacks a file."""
    models = the_list((1, "published"), (1, "retired"), (2, "published"), (3, "pending"))
    assert [one.number for one in public_part(models).models] == [1, 2]
    assert [one.number for one in public_part(models, [VERSIONS[1]]).models] == [1]
    refused = the_list((1, "pending"), (1, "refused"))
    assert public_part(refused).models == () and refused.models[0].reason == "for 1"


@pytest.mark.parametrize(
    ("state", "action", "result"),
    [
        ("pending", "published", True),
        ("pending", "refused", True),
        ("published", "retired", True),
        ("published", "served", True),
        ("published", "published", False),
        ("refused", "refused", False),
        ("retired", "retired", False),
        ("pending", "retired", Conflict),
        ("pending", "served", Conflict),
        ("published", "refused", Conflict),
        ("refused", "published", Conflict),
        ("refused", "retired", Conflict),
        ("retired", "published", Conflict),
        ("retired", "served", Conflict),
    ],
)
def test_changes_follow_the_states(
    state: str, action: Action, result: bool | type[Conflict]
) -> None:
    """C4 C9: the same change twice changes nothing; refusal and retirement are for good."""
    if isinstance(result, bool):
        assert is_change(model(state), action) == result
    else:
        with pytest.raises(result, match=f"is {state}, not"):
            is_change(model(state), action)


def test_what_serves_already_is_no_change() -> None:
    """C4: a roll-back that is repeated leaves one line."""
    assert not is_change(model("published", serving=True), "served")


def test_a_version_is_chosen_by_number_or_digest() -> None:
    """C9: nothing is taken for another version."""
    models = the_list((1, "published"), (2, "published"))
    assert chosen(models, "lungs", "2").version == VERSIONS[1]
    assert chosen(models, "lungs", VERSIONS[0][:8]).number == 1
    for which in ("3", "00000000", "0" * 64):
        with pytest.raises(NotFound, match=r"Known numbers are: 1, 2"):
            chosen(models, "lungs", which)
    with pytest.raises(NotFound, match="none"):
        chosen(models, "hearts", "1")
    for which in ("", "newest", VERSIONS[0][:7] + "g", "-1"):
        with pytest.raises(InputError, match="names no version"):
            chosen(models, "lungs", which)
