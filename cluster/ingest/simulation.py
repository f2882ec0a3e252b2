"""A SIMULATED cohort: phenopackets drawn from an ontology's own disease annotations.

For users who have no cases at hand. Diseases are drawn with a long tail, so that some are seen once
and some often; a person shows a part of the disease's signs, lacks some of the others, and has a
little noise. It is no sample of any population.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cluster.contracts.result import SIMULATED
from cluster.ids import canonical_json
from cluster.ontology import Ontology, term_id

TERMS_MIN: Final = 4
"""Annotated terms that a disease needs to be drawn."""
TAIL: Final = 1.1
"""Exponent of the Zipf law by which diseases are drawn."""
DISEASES: Final = 400
"""Diseases in circulation; each platform sees the ones that come to it."""
SHOWN: Final = 0.55
"""Mean share of a disease's terms that a person shows."""
EXAMINED: Final = 0.5
"""Share of the terms not shown that somebody looked for and found absent."""
NOISE: Final = 0.3
"""Mean number of terms that have nothing to do with the disease."""


@dataclass(frozen=True)
class AnnotatedDisease:
    """A disease and the numbers of the HPO terms that are annotated to it."""

    disease_id: str
    name: str
    terms: tuple[int, ...]


def simulated_cases(
    diseases: Sequence[AnnotatedDisease], ontology: Ontology, *, platform: str, n: int, seed: int
) -> Iterator[str]:
    """Draw phenopackets of one platform, one JSON text each; the same arguments draw the same.

    Args:
        diseases: annotated diseases, in a fixed order.
        ontology: gives the labels.
        platform: part of the ids; each platform draws differently.
        n: number of people.
        seed: the diseases in circulation are the same for all platforms of a seed.
    """
    usable = [disease for disease in diseases if len(disease.terms) >= TERMS_MIN]
    chosen = np.random.default_rng(seed).permutation(len(usable))[:DISEASES]
    weights = 1.0 / np.arange(1, len(chosen) + 1) ** TAIL
    rng = np.random.default_rng([seed, *platform.encode()])
    for number in range(n):
        disease = usable[int(rng.choice(chosen, p=weights / weights.sum()))]
        yield canonical_json(_person(disease, ontology, f"{platform}-{number:05d}", rng))


def _person(
    disease: AnnotatedDisease, ontology: Ontology, person: str, rng: np.random.Generator
) -> dict[str, Any]:
    terms = np.asarray(disease.terms)
    shown = rng.random(len(terms)) < rng.beta(4 * SHOWN, 4 * (1 - SHOWN))
    shown[rng.integers(len(terms))] = True
    absent = ~shown & (rng.random(len(terms)) < EXAMINED)
    noise = ontology.numbers[rng.integers(len(ontology.numbers), size=rng.poisson(NOISE))]
    observed = [int(number) for number in (*terms[shown], *noise)]
    features = [_feature(number, ontology) for number in dict.fromkeys(observed)]
    features += [
        _feature(int(number), ontology) | {"excluded": True}
        for number in terms[absent]
        if int(number) not in observed
    ]
    return {
        "id": f"{SIMULATED}-{person}",
        "subject": {
            "id": person,
            "sex": ("FEMALE", "MALE")[int(rng.integers(2))],
            "timeAtLastEncounter": {"age": {"iso8601duration": f"P{int(rng.integers(80))}Y"}},
        },
        "phenotypicFeatures": features,
        "diseases": [{"term": {"id": disease.disease_id, "label": disease.name}}],
        "metaData": {"createdBy": SIMULATED, "phenopacketSchemaVersion": "2.0"},
    }


def _feature(number: int, ontology: Ontology) -> dict[str, Any]:
    given = term_id(number)
    return {"type": {"id": given, "label": ontology.names[ontology.row_of(given)]}}
