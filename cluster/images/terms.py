"""Who may use a set of images, and who must be named, as far as its own texts say so (C1, C9)."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final, NamedTuple

LICENCES: Final = ("license", "licence", "copying")
CREDITS: Final = ("attribution", "notice", "citation")
NAMED: Final = re.compile(
    r"\b(CC0(?:[ -]1\.0)?|CC[ -]BY(?:[ -](?:NC|ND|SA))*[ -]\d\.\d|Apache[ -]2\.0|MIT|BSD-\d-Clause"
    r"|ODbL(?:[ -]1\.0)?)(?![\w.-]*\w)"
)
"""Licences that a text may name, in the writing of SPDX or with blanks."""
NOT_STATED: Final = "not stated by the set of images"
LICENCE_CHARS: Final = 200
CREDIT_CHARS: Final = 1_000


class Terms(NamedTuple):
    """What a card says of the images that a model learned from."""

    licence: str
    attribution: str
    """Empty where no text of the set is for it."""


def terms_of(texts: Mapping[str, str]) -> Terms:
    """Read licence and attribution out of the texts of a set, by file name.

    A licence is the first line of the file for it, else all that a README names by their usual
    short names; of several which one holds is for a person to say.
    """
    licence = next(iter(_files(texts, LICENCES)), "").partition("\n")[0].strip()
    if not licence:
        named = (found[0] for text in _files(texts, ("readme",)) for found in NAMED.finditer(text))
        licence = ", ".join(dict.fromkeys(named))
    credit = " ".join(" ".join(_files(texts, CREDITS)).split())
    return Terms(licence[:LICENCE_CHARS] or NOT_STATED, credit[:CREDIT_CHARS])


def _files(texts: Mapping[str, str], stems: tuple[str, ...]) -> list[str]:
    """Return the texts whose files are named so, by name."""
    found = sorted(texts, key=str.lower)
    return [
        texts[name].strip()
        for name in found
        if PurePosixPath(name).name.lower().startswith(stems) and texts[name].strip()
    ]
