"""Decides what is counted about the cases of one ingest: what is missing, and in which form it is.

Missing is not unknown is not zero: each is counted by its own name. A fact is no reservation; what
a person should look at is a finding.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from cluster.case.case import Case
from cluster.case.phenopacket import SEXES, GenomicInterpretation, TimeElement

MISSING: Final = "missing"
OTHER: Final = "other"
RELEASE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,31}")


@dataclass
class Facts:
    """Counts over the cases that were taken in."""

    counts: Counter[str] = field(default_factory=Counter)
    hpo_releases: Counter[str] = field(default_factory=Counter)
    _profiles: Counter[int] = field(default_factory=Counter)

    def add(self, case: Case) -> None:
        """Count what a case has and lacks."""
        packet = case.phenopacket
        subject = packet.subject
        if "sex" not in subject.model_fields_set:
            self.counts["sex.missing"] += 1
        elif case.sex == SEXES[0]:
            self.counts["sex.unknown"] += 1
        self.counts[f"age.{_form(subject.time_at_last_encounter)}"] += 1
        onset = next((one.onset for one in packet.diseases if one.onset), None)
        self.counts[f"disease_onset.{_form(onset)}"] += 1
        for feature in packet.phenotypic_features:
            if feature.onset:
                self.counts[f"feature_onset.{feature.onset.form}"] += 1
        if not packet.phenotypic_features:
            self.counts["phenotype.missing"] += 1
        if case.excluded_diseases:
            self.counts["disease.excluded"] += 1
        if not case.publication[0]:
            self.counts["publication.missing"] += 1
        if not packet.meta_data.phenopacket_schema_version:
            self.counts["schema_version.missing"] += 1
        self._add_variants(case)
        self._add_release(case)
        profile = frozenset(case.observed), frozenset(case.excluded)
        if any(profile):
            self._profiles[hash(profile)] += 1

    def _add_variants(self, case: Case) -> None:
        found: list[GenomicInterpretation] = [
            genomic
            for interpretation in case.phenopacket.interpretations
            if interpretation.diagnosis
            for genomic in interpretation.diagnosis.genomic_interpretations
        ]
        variants = [genomic.variant for genomic in found if genomic.variant]
        if not case.genes:
            self.counts["gene.missing"] += 1
        elif len(case.genes) > 1:
            self.counts["gene.several"] += 1
        if len(variants) > 1:
            self.counts["variant.several"] += 1
        if any(variant.has_no_place for variant in variants):
            self.counts["variant.label_only"] += 1

    def _add_release(self, case: Case) -> None:
        for release in case.hpo_releases or (MISSING,):
            self.hpo_releases[release if RELEASE.fullmatch(release) else OTHER] += 1

    def result(self) -> dict[str, int]:
        """Return the counts by name, with the cases that share a profile with another of these."""
        shared = sum(n for n in self._profiles.values() if n > 1)
        found = self.counts + Counter({"profile.shared_in_platform": shared})
        return dict(sorted(found.items()))


def _form(element: TimeElement | None) -> str:
    return element.form if element else MISSING
