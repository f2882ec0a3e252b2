"""Names of diseases in one form, so that case, accents and marks do not part them (C8)."""

import re
import unicodedata
from typing import Final

POSSESSIVE: Final = re.compile(r"['\u2018\u2019]s\b")
BETWEEN: Final = re.compile(r"[\W_]+")
NOT_RARE: Final = "NON RARE IN EUROPE:"
"""What Orphanet puts before the name of an entity that is not rare; people do not type it."""


def folded(name: str) -> str:
    """Return a name to compare others with; an empty text where it has no letter or digit.

    ``Sjögren's syndrome``, ``SJOGREN SYNDROME`` and ``sjogren_syndrome`` are one.
    """
    parts = unicodedata.normalize("NFKD", name).casefold()
    plain = "".join(char for char in parts if not unicodedata.combining(char))
    plain = unicodedata.normalize("NFKC", plain)
    return BETWEEN.sub(" ", POSSESSIVE.sub("", plain)).strip()


def spoken(name: str) -> str:
    """Return a name as people say it, without the mark of an entity that is not rare."""
    return name.removeprefix(NOT_RARE).strip()
