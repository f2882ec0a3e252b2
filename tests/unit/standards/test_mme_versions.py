"""Which version of the Matchmaker Exchange API is spoken, and what is refused before it is read."""

import pickle

import pytest

from cluster.standards.mme.versions import LATEST, MmeProblem, Version, negotiated, newest_common

TYPE = "application/vnd.ga4gh.matchmaker"


@pytest.mark.parametrize(
    ("content_type", "answered"),
    [
        (f"{TYPE}.v1.0+json", Version(1, 0)),
        (f"{TYPE}.v1.1+json", Version(1, 1)),
        (f"{TYPE}.v1.7+json", Version(1, 7)),
        (f"{TYPE}.v1.0+json; charset=utf-8", Version(1, 0)),
        (f"{TYPE.upper()}.V1.0+JSON", Version(1, 0)),
        (f"{TYPE}+json", LATEST),
        ("application/json", LATEST),
        ("application/json;charset=UTF-8", LATEST),
    ],
)
def test_a_request_is_answered_in_its_version(content_type: str, answered: Version) -> None:
    """Minor versions are compatible: even one that nobody knows is answered as it asks."""
    assert negotiated(content_type) == answered
    assert negotiated(answered.media_type) == answered


@pytest.mark.parametrize("version", ["2.0", "0.1", "10.0"])
def test_another_major_version_is_not_acceptable(version: str) -> None:
    """406 names the versions to ask in, and is no 415."""
    with pytest.raises(MmeProblem) as raised:
        negotiated(f"{TYPE}.v{version}+json")
    assert raised.value.status == 406
    assert raised.value.body == {
        "message": "Content-Type: unsupported API version",
        "supportedVersions": ["1.0", "1.1"],
    }


@pytest.mark.parametrize(
    "content_type",
    [None, "", " ", "text/plain", f"{TYPE}.v1+json", f"{TYPE}.v1.1", "application/jsonp", "v1.0"],
)
def test_another_media_type_is_unsupported(content_type: str | None) -> None:
    """415, also where there is none."""
    with pytest.raises(MmeProblem) as raised:
        negotiated(content_type)
    assert raised.value.status == 415
    assert set(raised.value.body) == {"message"} and raised.value.message


def test_the_newest_common_version_is_chosen() -> None:
    """Of a list that another server sends, whatever it has in it."""
    assert newest_common(["0.1", "1.0", "1.1", "3.0"]) == Version(1, 1)
    assert newest_common(["v1.0", 7, None]) == Version(1, 0)
    assert newest_common(["2.0"]) is newest_common("1.0") is newest_common(None) is None


def test_a_problem_crosses_a_process_with_its_status() -> None:
    """Ray rebuilds errors from their arguments."""
    problem = MmeProblem("broken", "patient.id", "Mend it.", 406, ("1.0",))
    copy = pickle.loads(pickle.dumps(problem))
    assert (copy.status, copy.supported, copy.message) == (406, ("1.0",), "patient.id: broken")
