"""Cases: what was absent never turns into what was seen, through reading and redaction."""

import json

from builders import Json, labels, phenopackets
from hypothesis import given
from hypothesis import strategies as st

from cluster.case.case import read_case
from cluster.case.redaction import redact
from cluster.errors import CaseInvalid

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)


@given(phenopackets())
def test_excluded_is_never_read_as_observed(packet: Json) -> None:
    """A4: observed and excluded are what the document says; what it says both ways is neither."""
    case = read_case(json.dumps(packet))
    by_state: dict[bool, set[str]] = {True: set(), False: set()}
    for feature in packet["phenotypicFeatures"]:
        by_state[feature.get("excluded", False)].add(feature["type"]["id"])
    assert set(case.observed) == by_state[False] - by_state[True]
    assert set(case.excluded) == by_state[True] - by_state[False]
    assert set(case.conflicting) == by_state[True] & by_state[False]
    assert len(set(case.observed)) == len(case.observed)


@given(phenopackets())
def test_a_redacted_case_is_a_case_with_the_same_terms(packet: Json) -> None:
    """A11: what arrives can be read and says the same of the person's signs, and no more."""
    case = read_case(json.dumps(packet))
    shown = redact(case, "north.abc", "north", labels)
    arrived = read_case(json.dumps(shown))
    assert (arrived.observed, arrived.excluded) == (case.observed, case.excluded)
    assert [one.id for one in arrived.diseases] == [one.id for one in case.diseases]
    assert arrived.case_id == "north.abc"
    assert redact(arrived, "north.abc", "north", labels) == shown


@given(st.permutations(["id", "subject", "phenotypicFeatures", "diseases", "x"]), json_values)
def test_the_digest_is_of_the_content(order: list[str], extra: object) -> None:
    """A4: any order of keys gives one digest, and the document gives itself again."""
    full = {
        "id": "a",
        "subject": {"id": "1"},
        "phenotypicFeatures": [{"type": {"id": "HP:0000001"}}],
        "diseases": [],
        "x": extra,
    }
    try:
        case = read_case(json.dumps(full))
        turned = read_case(json.dumps({name: full[name] for name in order}, indent=1))
    except CaseInvalid:
        return
    assert turned.digest == case.digest == read_case(case.document).digest


@given(json_values | st.dictionaries(st.sampled_from(["id", "subject", "diseases"]), json_values))
def test_any_json_is_read_or_refused(content: object) -> None:
    """B1: no JSON value makes anything but a case or a refusal."""
    try:
        read_case(json.dumps(content))
    except CaseInvalid as error:
        assert error.where or "readable as JSON" in error.what


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes | str) -> None:
    """B1: no bytes make anything but a case or a refusal."""
    try:
        read_case(raw)
    except CaseInvalid as error:
        assert error.code == "case_invalid"
