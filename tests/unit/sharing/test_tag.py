"""Platform tags: the mix of a platform's cases, and who is chosen by it."""

import math

import pytest
from builders import a_peer, a_profile

from cluster.contracts.sharing import PlatformTag
from cluster.sharing.tag import mix_of, related_platforms, similarity, tags_by


def test_a_mix_is_shares_most_common_first() -> None:
    """A1: three of four cases are three quarters; no case is no mix."""
    assert list(mix_of(["eye", "heart", "heart", "heart"]).items()) == [
        ("heart", 0.75),
        ("eye", 0.25),
    ]
    assert mix_of([]) == {}
    assert sum(mix_of("abcabca").values()) == pytest.approx(1, abs=1e-5)


def test_similarity_is_a_cosine() -> None:
    """A1: by hand, 3 to 4 has cosines 0.6 and 0.8 with its axes."""
    mix = {"heart": 0.6, "eye": 0.8}
    assert similarity(mix, "heart") == pytest.approx(0.6)
    assert similarity({"heart": 3.0, "eye": 4.0}, "eye") == pytest.approx(0.8)
    assert similarity(mix, "ear") == 0.0
    assert similarity({}, "heart") == 0.0
    assert similarity({"heart": 0.5, "eye": 0.5}, "eye") == pytest.approx(1 / math.sqrt(2))


def test_only_linked_and_agreed_platforms_are_related() -> None:
    """A11: a platform without a link or an agreement is never a target."""
    peers = [
        a_peer("linked-only", agreed=False),
        a_peer("agreed-only", linked=False),
        a_peer("neither", linked=False, agreed=False),
        a_peer("both"),
    ]
    assert related_platforms(peers, "heart") == ("both",)
    assert related_platforms([], "heart") == ()


def test_the_nearest_to_the_field_comes_first_and_ties_go_by_name() -> None:
    """A1: targets are ordered by similarity to the case's category, then by id."""
    peers = [
        a_peer("z", mix={"heart": 1.0}),
        a_peer("b"),
        a_peer("mixed", mix={"heart": 0.5, "eye": 0.5}),
        a_peer("a"),
    ]
    assert related_platforms(peers, "heart") == ("z", "mixed", "a", "b")


def test_platforms_are_grouped_by_a_facet() -> None:
    """A1: a facet of several values puts a platform into several groups; groups are sorted."""
    tags = [
        PlatformTag(version=1, profile=a_profile("n", region="Hesse", specialities=("eye", "ear"))),
        PlatformTag(version=1, profile=a_profile("s", region="Baden", specialities=("eye",))),
    ]
    assert tags_by(tags, "specialities") == {"ear": ["n"], "eye": ["n", "s"]}
    assert list(tags_by(tags, "region").items()) == [("Baden", ["s"]), ("Hesse", ["n"])]
    assert tags_by([], "region") == {}
