"""Licence and attribution out of the texts of a set."""

import pytest

from cluster.images.terms import NOT_STATED, terms_of


@pytest.mark.parametrize(
    ("texts", "licence", "attribution"),
    [
        ({}, NOT_STATED, ""),
        ({"README.md": "Cells, CC BY 4.0. Again CC BY 4.0."}, "CC BY 4.0", ""),
        ({"README": "images CC-BY-NC-4.0, code MIT"}, "CC-BY-NC-4.0, MIT", ""),
        ({"README": "COMMITMENT to CC BY"}, NOT_STATED, ""),
        ({"LICENSE.txt": "Own licence\nlong text", "README": "MIT"}, "Own licence", ""),
        ({"LICENSE": "  \n", "README": "CC0"}, "CC0", ""),
        (
            {"docs/CITATION": "A. Person,\n Journal 3", "README": "MIT"},
            "MIT",
            "A. Person, Journal 3",
        ),
    ],
)
def test_terms_are_what_the_texts_say(
    texts: dict[str, str], licence: str, attribution: str
) -> None:
    """C9: the file for it first, else the names that a README has; never a guess."""
    assert terms_of(texts) == (licence, attribution)
