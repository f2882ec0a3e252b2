"""Codes of public vocabularies: what an id, a gene or a variant of a case must look like to leave.

A record may have a number, a date or a name where a code belongs. So each vocabulary is listed with
the form of its codes, and what has another form is somebody's words and no code.
"""

import re
from typing import Final

_CUI: Final = r"CN?[0-9]{6,7}"
_ICD10: Final = r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?"
_SNOMED: Final = r"[0-9]{6,18}"
FORMS: Final = {
    "DECIPHER": r"[0-9]{1,4}",
    "DOID": r"[0-9]{1,7}",
    "EFO": r"[0-9]{7}",
    "GENO": r"[0-9]{7}",
    "HP": r"[0-9]{7}",
    "ICD10": _ICD10,
    "ICD10CM": _ICD10,
    "ICD10GM": _ICD10,
    "ICD11": r"[0-9A-Z]{4}(?:\.[0-9A-Z]{1,2})?",
    "MEDGEN": rf"{_CUI}|[0-9]{{1,7}}",
    "MESH": r"[CDM][0-9]{6,9}",
    "MONDO": r"[0-9]{7}",
    "NCIT": r"C[0-9]{1,6}",
    "OMIM": r"(?:PS)?[0-9]{1,6}",
    "ORPHA": r"[0-9]{1,6}",
    "SCTID": _SNOMED,
    "SNOMED": _SNOMED,
    "SNOMEDCT": _SNOMED,
    "UMLS": _CUI,
}
"""Forms of the codes of terms and diseases, by prefix."""
GENE_FORMS: Final = {
    "ENSEMBL": r"ENSG[0-9]{11}(?:\.[0-9]{1,2})?",
    "ENTREZ": r"[0-9]{1,9}",
    "HGNC": r"[0-9]{1,5}",
    "NCBIGENE": r"[0-9]{1,9}",
    "OMIM": r"[0-9]{6}",
}
SAME: Final = {"MIM": "OMIM", "ORPHANET": "ORPHA", "ORDO": "ORPHA"}
"""Prefixes that name another vocabulary once more."""
SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9-]{1,14}|C[0-9XY]{1,2}orf[0-9]{1,4}")
"""A gene symbol as HGNC writes it."""
RECORD_NUMBER: Final = re.compile(
    r"\d{7}|@|(?<![\d.])(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](?:\d\d){1,2})(?!\.?\d)"
)
"""A date, an address of mail, or a number of a length that names and titles do not have."""

EXPRESSION_LENGTH_MAX: Final = 200
_SEQUENCE: Final = (
    r"(?:[NX][CGMPRTW]_[0-9]{1,9}|ENS[EGPT][0-9]{11}|LRG_[0-9]{1,4}(?:[pt][0-9]{1,2})?)"
    r"(?:\.[0-9]{1,3})?"
)
_RESIDUES: Final = (
    "Ala|Arg|Asn|Asp|Cys|Gln|Glu|Gly|His|Ile|Leu|Lys|Met|Phe|Pro|Sec|Ter|Thr|Trp|Tyr|Val|Xaa"
    "|Ser"  # codespell:ignore
)
_CHANGE: Final = (
    rf"(?:[0-9_+*>=?()\[\];:.,^|-]|[A-Z](?![a-z])|{_RESIDUES}|[acgu]|del|dup|ins|inv|fs|ext)+"
)
_KARYOTYPE: Final = (
    r"(?:[0-9XYpqhxctirm()\[\];:.,+~?/<>_*=-]"
    r"|add|arr|cen|del|der|dic|dn|dup|fra|GRCh|hg|hsr|idem|ins|inv|ish"
    r"|mar|mat|mos|nuc|pat|rec|rob|seq|ter|upd)+"
)
VARIANT_FORMS: Final = {
    "hgvs": re.compile(rf"(?:{_SEQUENCE}(?:\([A-Z0-9-]{{2,15}}\))?:)?[cgmnpr]\.{_CHANGE}"),
    "iscn": re.compile(rf"(?:(?:mos|arr|seq|ish|nuc)|(?=[0-9]{{2}}[,~])){_KARYOTYPE}"),
    "gnomad": re.compile(r"(?:chr)?[0-9XYM]{1,2}-[0-9]{1,9}-[ACGTN]+-[ACGTN]+"),
    "spdi": re.compile(rf"{_SEQUENCE}:[0-9]{{1,9}}:[ACGTN0-9]*:[ACGTN0-9]*"),
}
"""Names of variants by the first part of their syntax; no sentence fits in them."""


def code_of(text: str) -> str:
    """Return the code of a term or disease in its one form, ``ORPHA:558`` for ``Orphanet:558``.

    Returns:
        An empty text for what is not a code of a known vocabulary.
    """
    prefix, _, local = text.partition(":")
    prefix = SAME.get(prefix.upper(), prefix.upper())
    form = FORMS.get(prefix)
    return f"{prefix}:{local}" if form and re.fullmatch(form, local) else ""


def canonical(text: str) -> str:
    """Return an id to compare others with: a code in its one form, anything else as it is."""
    return code_of(text) or text


def is_gene_id(text: str) -> bool:
    """Say whether a text is the id of a gene."""
    prefix, _, local = text.partition(":")
    form = GENE_FORMS.get(prefix.upper())
    return form is not None and re.fullmatch(form, local) is not None


def is_symbol(text: str) -> bool:
    """Say whether a text is a gene symbol, and no number or date behind a few capitals."""
    return SYMBOL.fullmatch(text) is not None and not RECORD_NUMBER.search(text)


def is_variant(syntax: str, text: str) -> bool:
    """Say whether a text is the name of a variant in a syntax such as ``hgvs.c``."""
    form = VARIANT_FORMS.get(syntax.partition(".")[0])
    return form is not None and len(text) <= EXPRESSION_LENGTH_MAX and bool(form.fullmatch(text))
