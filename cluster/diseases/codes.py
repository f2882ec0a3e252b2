"""Codes of diseases in their one form, whatever spelling they come in (C8).

``Orphanet:5``, ``ORPHA 5`` and the IRI of ORDO are ``ORPHA:5``; ``MIM 123456`` is ``OMIM:123456``;
an ICD-10 code without its point gets it. Prefixes are those of cases, so that a case's disease is
looked up as it is. Nothing is guessed: digits without a vocabulary are no code.
"""

import re
from typing import Final

from cluster.case.codes import FORMS
from cluster.errors import InputError

PADDED: Final = {"MONDO": 7, "GARD": 7}  # codespell:ignore
"""Digits of ids that are written with leading zeros, and often without."""
LOCAL: Final[dict[str, str]] = {
    "DAZZLE": r"[a-z0-9]+(?:-[a-z0-9]+)*",
    "DOID": FORMS["DOID"],
    "GARD": r"[0-9]{1,7}",  # codespell:ignore
    "ICD10": FORMS["ICD10"],
    "ICD11": r"[0-9A-Z]{4}(?:\.[0-9A-Z]{1,3})?|X[0-9A-Z]{5}",
    "MEDDRA": r"[0-9]{8}",
    "MESH": FORMS["MESH"],
    "MONDO": r"[0-9]{1,7}",
    "NCIT": FORMS["NCIT"],
    "OMIM": r"(?:PS)?[0-9]{6}",
    "ORPHA": r"[0-9]{1,7}",
    "UMLS": FORMS["UMLS"],
}
"""Form of the codes of each vocabulary. DAZZLE is of the demo table: what is no disease."""
CALLED: Final = {
    "ICD": "ICD10",
    "ICD10CM": "ICD10",
    "ICD10GM": "ICD10",
    "ICD10WHO": "ICD10",
    "MIM": "OMIM",
    "MONDOID": "MONDO",
    "MSH": "MESH",
    "NCI": "NCIT",
    "ORDO": "ORPHA",
    "ORPHACODE": "ORPHA",
    "ORPHANET": "ORPHA",
    "UMLSCUI": "UMLS",
}
"""Other names of vocabularies, without case and hyphens."""
SPELT: Final = re.compile(
    r"(?P<name>icd[- ]?1[01](?:-?(?:cm|gm|who))?|[a-z]+)(?P<mark>\s*:\s*|[_\s]\s*|(?=[#%*+^0-9]))"
    r"(?P<local>\S.*)",
    re.IGNORECASE,
)
IRI: Final = re.compile(r"https?://\S*[/?=](?=[A-Za-z]+[_:])")
MARKS: Final = re.compile(r"^[#%*+^]\s*|[+*†]$")
"""Marks of OMIM before a number, of ICD-10 behind a code."""


def code_of(text: str) -> str:
    """Return a code in its one form; an empty text for what is not a code of a known vocabulary."""
    vocabulary, local, _ = _parts(text)
    return f"{vocabulary}:{local}" if local else ""


def local_code(vocabulary: str, text: str) -> str:
    """Return the code of a text that may leave its vocabulary out, as cross-references do.

    Returns:
        An empty text where the vocabulary is not known or the text has another form.
    """
    name = vocabulary_of(vocabulary)
    own, local, _ = _parts(text)
    if local and own == name:
        return f"{own}:{local}"
    local = _local(name, text.strip())
    return f"{name}:{local}" if local else ""


def asked_code(text: str) -> str:
    """Return the code that a question asks for; an empty text for words.

    Raises:
        InputError: it names a vocabulary, with a colon, and is no code of it.
    """
    vocabulary, local, has_colon = _parts(text)
    if vocabulary and not local and has_colon:
        what = f"{text[:80]!r} is not a code of {vocabulary}"
        remedy = "Write OMIM:154700, ORPHA:558, MONDO:0007947, DOID:14323, ICD-10:Q87.4 or a name."
        raise InputError(what, remedy=remedy)
    return f"{vocabulary}:{local}" if local else ""


def vocabulary_of(name: str) -> str:
    """Return our name of a vocabulary; an empty text for an unknown one."""
    bare = re.sub(r"[^A-Z0-9]", "", name.upper())
    bare = CALLED.get(bare, bare)
    return bare if bare in LOCAL else ""


def _parts(text: str) -> tuple[str, str, bool]:
    """Return vocabulary, local code (empty where it has another form), whether a colon parts."""
    spelt = SPELT.fullmatch(IRI.sub("", text.strip()))
    if spelt is None:
        return "", "", False
    vocabulary = vocabulary_of(spelt["name"])
    if not vocabulary:
        return "", "", False
    return vocabulary, _local(vocabulary, spelt["local"]), ":" in spelt["mark"]


def _local(vocabulary: str, text: str) -> str:
    form = LOCAL.get(vocabulary)
    if form is None:
        return ""
    given = text if vocabulary == "DAZZLE" else MARKS.sub("", text).upper()
    if vocabulary == "ICD10" and re.fullmatch(r"[A-Z][0-9][0-9A-Z]{2,5}", given):
        given = f"{given[:3]}.{given[3:]}"
    if not re.fullmatch(form, given):
        return ""
    if vocabulary == "ORPHA":
        return given.lstrip("0")
    return given.zfill(PADDED.get(vocabulary, 0))
