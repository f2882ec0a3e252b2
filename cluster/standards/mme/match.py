"""What is asked about a patient, how a case is scored, and what is answered of it.

Two patients are alike by three signs: their phenotypes, their genes, and a diagnosis that they
share. Each is taken as a chance that the match is a true one, and they are joined as chances that
do not know of each other: 1 - (1 - p) (1 - g). So equal phenotypes are 1, every further sign
raises a score that is not 1 yet, and nothing that is merely unknown lowers it.

Everything but the phenotypic similarity is read from what has passed redaction: a score tells no
more than the answer shows.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from cluster.case.case import Case
from cluster.case.codes import code_of, is_symbol
from cluster.case.phenopacket import STATUSES, GeneContext, Phenopacket
from cluster.errors import InputError
from cluster.ontology import HPO_ID
from cluster.standards.mme.messages import FEATURES_MAX, Gene, Json, Patient

SHARED_GENE: Final = 0.75
"""Chance that stands for a gene in common, however many are asked for."""
SHARED_DISORDER: Final = 0.5
"""Chance that stands for a diagnosis in common; it is part of the phenotype."""
RESULTS: Final = 20
DIGITS: Final = 4
HUMAN: Final = "NCBITaxon:9606"
SEX: Final = {"FEMALE": "FEMALE", "MALE": "MALE", "OTHER_SEX": "OTHER"}
"""Sexes of a phenopacket; an unknown one is not told."""
TOLD: Final = frozenset({"features", "genomicFeatures"})
"""Of these a patient must have one."""
REJECTED: Final = STATUSES[1]
MENDELIAN: Final = re.compile(r"OMIM:([0-9]{6})")
ORPHANET: Final = re.compile(r"ORPHA:([0-9]{1,6})")
ENSEMBL: Final = re.compile(r"(?:ENSEMBL:)?(ENSG[0-9]{11})(?:\.[0-9]{1,2})?", re.IGNORECASE)
ENTREZ: Final = re.compile(r"(?:NCBIGENE:|ENTREZ:)?([0-9]{1,9})", re.IGNORECASE)

SymbolOf = Callable[[str], str]
"""The HGNC symbol of ``ENSG…``, of an Entrez number, or of a symbol of before; else empty."""


@dataclass(frozen=True)
class Question:
    """What is asked about a patient."""

    patient_id: str
    observed: tuple[str, ...]
    """HPO ids."""
    excluded: tuple[str, ...]
    """HPO ids of signs that were looked for and not found."""
    genes: tuple[str, ...]
    """HGNC symbols."""
    unknown_genes: int
    """Gene ids that are not understood here, and not compared."""
    disorders: tuple[str, ...]
    """Codes such as ``OMIM:250220``."""
    is_test: bool
    """Answered from test data, and nothing else is."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of the question in the answer."""
        if not self.unknown_genes:
            return ()
        n = self.unknown_genes
        told = f"{n} gene id{'' if n == 1 else 's'} not known here and not compared"
        return (f"{told}; name a gene by its HGNC symbol or Entrez id.",)


@dataclass(frozen=True)
class PlatformContact:
    """Who answers for the cases of a platform, named instead of people."""

    name: str
    href: str
    institution: str = ""


@dataclass(frozen=True)
class Candidate:
    """A case that may be answered with."""

    shared_id: str
    """The id under which the one who asks may know it."""
    document: Json
    """The phenopacket as ``redact`` makes it."""
    similarity: float
    """simGIC of its observed terms and those that are asked for, 0 to 1."""


def question_of(patient: Patient, symbol_of: SymbolOf) -> Question:
    """Return what is asked about a patient; a sign said to be there and absent is neither."""
    states = {
        state: [one.id for one in patient.features if one.observed == state]
        for state in ("yes", "no")
    }
    symbols = [symbol_in(one.gene, symbol_of) for one in patient.genomic_features]
    codes = (code_of(one.id) for one in patient.disorders)
    return Question(
        patient_id=patient.id,
        observed=tuple(dict.fromkeys(one for one in states["yes"] if one not in states["no"])),
        excluded=tuple(dict.fromkeys(one for one in states["no"] if one not in states["yes"])),
        genes=tuple(dict.fromkeys(filter(None, symbols))),
        unknown_genes=symbols.count(""),
        disorders=tuple(dict.fromkeys(filter(None, codes))),
        is_test=patient.test,
    )


def symbol_in(gene: Gene, symbol_of: SymbolOf) -> str:
    """Return a gene's symbol, or an empty text where neither its id nor its name is known."""
    text = gene.id.strip()
    numbered = ENSEMBL.fullmatch(text) or ENTREZ.fullmatch(text)
    known = symbol_of(numbered[1].upper() if numbered else text)
    if known or (is_symbol(text) and not numbered):
        return known or text
    return gene.gene_name if is_symbol(gene.gene_name) else ""


def patient_score(
    similarity: float, *, gene_match: bool = False, same_disorder: bool = False
) -> dict[str, float]:
    """Score a match: ``patient`` in 0..1, and the parts that it is made from.

    Args:
        similarity: of the phenotypes, 0 to 1.
        gene_match: whether the case has a gene that is asked for.
        same_disorder: whether a diagnosis is the same.
    """
    phenotype = 1 - (1 - similarity) * (1 - SHARED_DISORDER * same_disorder)
    genotype = SHARED_GENE * gene_match
    parts = {
        "patient": 1 - (1 - phenotype) * (1 - genotype),
        "_phenotype": phenotype,
        "_genotype": genotype,
    }
    return {name: round(min(max(value, 0.0), 1.0), DIGITS) for name, value in parts.items()}


def results_of(
    question: Question,
    candidates: Sequence[Candidate],
    contact: PlatformContact,
    limit: int = RESULTS,
) -> list[Json]:
    """Return the results of an answer, best first.

    Left out are the patient that is asked about, cases that have nothing in common with it, and
    cases of which neither a sign nor a gene may be told.

    Args:
        question: what was asked.
        candidates: cases that may be shown to the one who asks; test data where it is a test, and
            only then.
        contact: of the platform.
        limit: results at the most.
    """
    scored = []
    for candidate in candidates:
        case = _case_of(candidate.document)
        score = patient_score(
            candidate.similarity,
            gene_match=not set(question.genes).isdisjoint(one.symbol for one in _genes(case)),
            same_disorder=not set(question.disorders).isdisjoint(_disorders(case)),
        )
        if candidate.shared_id != question.patient_id and score["patient"] > 0:
            scored.append((score, candidate.shared_id, case))
    scored.sort(key=lambda one: (-one[0]["patient"], -one[0]["_genotype"], one[1]))
    told = (
        {"score": score, "patient": _patient(case, shared_id, contact, test=question.is_test)}
        for score, shared_id, case in scored
    )
    return list(islice((one for one in told if not TOLD.isdisjoint(one["patient"])), limit))


def patient_object(
    document: Json, shared_id: str, contact: PlatformContact, *, test: bool = False
) -> Json:
    """Build the patient of a result from a redacted phenopacket, and from nothing else of a case.

    Args:
        document: as ``redact`` makes it.
        shared_id: the id under which the one who asks may know the case.
        contact: of the platform.
        test: whether it is test data, so that nobody is to be told of it.

    Raises:
        InputError: neither a sign nor a gene may be told, so the standard has no patient for it.
    """
    told = _patient(_case_of(document), shared_id, contact, test=test)
    if TOLD.isdisjoint(told):
        what = "the case has neither a sign nor a gene that may be told"
        raise InputError(what, shared_id)
    return told


def _case_of(document: Json) -> Case:
    return Case(Phenopacket.model_validate(document), "")


def _patient(case: Case, shared_id: str, contact: PlatformContact, *, test: bool) -> Json:
    named = {"name": contact.name, "href": contact.href, "institution": contact.institution}
    genes = [one for one in map(_gene, _genes(case)) if one]
    parts: Json = {
        "id": shared_id,
        "contact": {name: value for name, value in named.items() if value},
        "species": HUMAN,
        "sex": SEX.get(case.sex, ""),
        "disorders": [one for one in map(_disorder, _disorders(case).items()) if one],
        "features": _features(case),
        "genomicFeatures": [gene for place, gene in enumerate(genes) if gene not in genes[:place]],
        "test": test,
    }
    return {name: value for name, value in parts.items() if value}


def _features(case: Case) -> list[Json]:
    labels = {one.type.id: one.type.label for one in case.phenopacket.phenotypic_features}
    return [
        {"id": term, **_label(labels[term]), "observed": observed}
        for terms, observed in ((case.observed, "yes"), (case.excluded, "no"))
        for term in terms
        if HPO_ID.fullmatch(term)
    ][:FEATURES_MAX]


def _genes(case: Case) -> list[GeneContext]:
    """Return the genes of the diagnoses, those that were rejected aside."""
    diagnoses = (one.diagnosis for one in case.phenopacket.interpretations if one.diagnosis)
    found = (one for diagnosis in diagnoses for one in diagnosis.genomic_interpretations)
    genes = (
        one.variant.gene_context if one.variant else one.gene
        for one in found
        if one.interpretation_status != REJECTED
    )
    return [gene for gene in genes if gene]


def _disorders(case: Case) -> dict[str, str]:
    """Return the codes of the diseases that are given and not excluded, with their names."""
    found = {code_of(one.id): one.label for one in case.diseases}
    return {code: label for code, label in found.items() if code}


def _gene(gene: GeneContext) -> Json:
    """Write a gene: its Ensembl id where there is one, as the standard prefers, else its symbol."""
    ensembl = ENSEMBL.fullmatch(gene.value_id)
    entrez = ENTREZ.fullmatch(gene.value_id)
    if ensembl:
        named = {"_geneName": gene.symbol} if gene.symbol else {}
        return {"gene": {"id": ensembl[1], **named}}
    name = gene.symbol or (entrez[1] if entrez else "")
    return {"gene": {"id": name}} if name else {}


def _disorder(disease: tuple[str, str]) -> Json:
    """Write a disease; of OMIM and Orphanet alone, which are all that the standard knows."""
    code, label = disease
    mendelian, orphanet = MENDELIAN.fullmatch(code), ORPHANET.fullmatch(code)
    if mendelian:
        return {"id": f"MIM:{mendelian[1]}", **_label(label)}
    return {"id": f"Orphanet:{orphanet[1]}", **_label(label)} if orphanet else {}


def _label(text: str) -> Json:
    return {"label": text} if text else {}
