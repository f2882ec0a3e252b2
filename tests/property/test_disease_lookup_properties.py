"""Whatever the records are: each is found by all of its codes and names."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cluster.diseases.codes import LOCAL, asked_code, code_of, local_code
from cluster.diseases.names import folded
from tests.unit.diseases.disease_lines import a_table

codes = st.sampled_from(sorted(LOCAL)).flatmap(
    lambda name: st.from_regex(re.compile(LOCAL[name], re.ASCII), fullmatch=True).map(
        lambda local: (name, local)
    )
)
names = st.text(min_size=1, max_size=40).filter(lambda text: bool(folded(text)))


@given(codes)
def test_a_code_in_its_one_form_stays(code: tuple[str, str]) -> None:
    """C8: normalising twice is normalising once, with the prefix and without."""
    vocabulary, local = code
    found = local_code(vocabulary, local)
    if found:
        assert code_of(found) == found == asked_code(found)
        assert local_code(vocabulary, found) == found
    else:
        assert vocabulary == "ORPHA" and not local.strip("0")


@given(st.text(max_size=60))
def test_any_text_is_a_code_or_none(text: str) -> None:
    """C8: no text breaks the reader, and what it takes for a code has a form."""
    found = code_of(text)
    vocabulary, _, local = found.partition(":")
    assert not found or re.fullmatch(LOCAL[vocabulary], local)


@given(st.text(max_size=60))
def test_a_folded_name_stays(text: str) -> None:
    """C8: folding twice is folding once, and marks count as spaces."""
    once = folded(text)
    assert folded(once) == once
    assert folded(f"-{text}_") == once


@given(st.lists(st.tuples(names, st.lists(names, max_size=3)), min_size=1, max_size=8), st.data())
def test_every_record_is_found(
    given_names: list[tuple[str, list[str]]], data: st.DataObject
) -> None:
    """C8: by its id, its codes, its name and its synonyms, whatever else has the same ones."""
    lines = []
    for n, (name, synonyms) in enumerate(given_names):
        omim = data.draw(st.integers(100_000, 100_004))
        references = {"OMIM": [{"id": str(omim), "relation": "E"}]}
        lines.append({"id": f"DOID:{n}", "name": name, "synonyms": synonyms, "xrefs": references})
    lines = [line for line in lines if str(line["name"]).strip()]
    table = a_table(*lines, {"id": "DOID:1000", "name": "one more"})
    keys = table.keys["key"].to_pylist()
    assert keys == sorted(keys)
    for line in lines:
        asked = [line["id"], f"omim {line['xrefs']['OMIM'][0]['id']}"]
        for text in asked:
            assert line["id"] in {one.disease_id for one in table.find(text)}
        for name in (line["name"], *line["synonyms"]):
            found = table._matches(folded(name))
            assert line["id"] in {one.disease_id for one in found}
            assert len({one.disease_id for one in found}) == len(found)
