"""The published cases: every one is read, and not a term is lost or turned round."""

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import Json, labels

from cluster.case.case import read_case
from cluster.case.redaction import redact
from cluster.contracts.ingest import Source
from cluster.ids import canonical_json
from cluster.ingest.intake import Intake, take_in
from cluster.ontology import Ontology
from cluster.storage.ontology import load_ontology
from cluster.storage.sources import platform_sources, read_records

pytestmark = pytest.mark.data
N_CASES = 7953
N_PLATFORMS = 8
N_LATE_BY_AGES = 79
N_LATE = 90
"""With the onsets and encounters that are given as a class or in weeks of gestation."""


@pytest.fixture(scope="module")
def newest(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ontology:
    """The release that is newer than every published case."""
    (path,) = (shared_data / "hpo").glob("hp-*.obo.gz")
    return load_ontology(tmp_path_factory.mktemp("newest"), str(path))


@pytest.fixture(scope="module")
def intakes(shared_data: Path, newest: Ontology) -> list[Intake]:
    """What came of the eight collections."""
    sources = platform_sources(shared_data / "phenopackets", N_PLATFORMS)
    return [take_in(read_records(source), newest, source) for source in sources.values()]


@pytest.fixture(scope="module")
def documents(shared_data: Path) -> list[list[Json]]:
    """The same collections, read by nothing of ours."""
    parts = sorted((shared_data / "phenopackets").glob("part-*.jsonl.gz"))
    return [[json.loads(line) for line in gzip.open(part)] for part in parts]


def test_every_published_case_is_read(shared_data: Path, intakes: list[Intake]) -> None:
    """B1 A4: 7,953 cases are taken, none refused, with the terms that the list states."""
    with (shared_data / "phenopackets" / "index.tsv").open(newline="", encoding="utf-8") as stream:
        listed = {row["id"]: row for row in csv.DictReader(stream, delimiter="\t")}
    assert len(intakes) == N_PLATFORMS
    totals: Counter[str] = Counter()
    for intake in intakes:
        totals["refused"] += intake.refused
        for taken in intake.cases:
            case, row = taken.case, listed.pop(taken.case.case_id)
            totals["cases"] += 1
            totals["observed"] += len(case.observed) - int(row["n_observed"])
            totals["excluded"] += len(case.excluded) - int(row["n_excluded"])
            assert case.disease is not None
            assert case.disease.id == row["disease_id"]
            assert case.publication[0] == row["pmid"]
    assert not listed
    assert totals == Counter(cases=N_CASES, refused=0, observed=0, excluded=0)


FORMS = {"age": "duration", "gestationalAge": "gestational_age", "ontologyClass": "ontology_class"}


def form_of(element: Json | None) -> str:
    return FORMS[next(iter(element))] if element else "missing"


def facts_of(packet: Json) -> Iterator[str]:
    """Count by hand what a published case lacks; each has one disease and one interpretation."""
    subject, features = packet["subject"], packet.get("phenotypicFeatures", [])
    if subject.get("sex") in (None, "UNKNOWN_SEX"):
        yield "sex.unknown" if "sex" in subject else "sex.missing"
    yield f"age.{form_of(subject.get('timeAtLastEncounter'))}"
    yield f"disease_onset.{form_of(packet['diseases'][0].get('onset'))}"
    yield from (f"feature_onset.{form_of(f['onset'])}" for f in features if "onset" in f)
    if not features:
        yield "phenotype.missing"
    findings = packet["interpretations"][0]["diagnosis"]["genomicInterpretations"]
    variants = [one["variantInterpretation"]["variationDescriptor"] for one in findings]
    if len(variants) > 1:
        yield "variant.several"
    if not any("geneContext" in variant for variant in variants):
        yield "gene.missing"
    if any("structuralType" in v and "vcfRecord" not in v for v in variants):
        yield "variant.label_only"


def profile_of(packet: Json) -> tuple[frozenset[str], frozenset[str]]:
    features = packet.get("phenotypicFeatures", [])
    ids = [(one["type"]["id"], one.get("excluded", False)) for one in features]
    return frozenset(i for i, out in ids if not out), frozenset(i for i, out in ids if out)


def months_of(element: Json | None) -> tuple[float, float] | None:
    """Return an age in months and the end of its last unit; None for what is no age."""
    given = re.findall(r"(\d+)([YMWD])", (element or {}).get("age", {}).get("iso8601duration", ""))
    if not given:
        return None
    months = {"Y": 12.0, "M": 1.0, "W": 7 / 30.4375, "D": 1 / 30.4375}
    age = sum(int(number) * months[unit] for number, unit in given)
    return age, age + months[given[-1][1]]


def is_late(packet: Json) -> bool:
    """Whether an onset given as an age lies after a last encounter given as an age."""
    last = months_of(packet["subject"].get("timeAtLastEncounter"))
    told = [*packet["diseases"], *packet.get("phenotypicFeatures", [])]
    onsets = [found for one in told if (found := months_of(one.get("onset")))]
    return last is not None and any(onset[0] > last[1] - 1e-6 for onset in onsets)


def test_the_facts_are_those_of_the_documents(
    intakes: list[Intake], documents: list[list[Json]]
) -> None:
    """B1 B2: what is missing and in which form is counted as a count by hand has it."""
    found: Counter[str] = Counter()
    releases: Counter[str] = Counter()
    for intake in intakes:
        found.update(intake.facts.result())
        releases.update(intake.facts.hpo_releases)
    expected: Counter[str] = Counter()
    stated: Counter[str] = Counter()
    for packets in documents:
        profiles = Counter(filter(any, map(profile_of, packets)))
        expected["profile.shared_in_platform"] += sum(n for n in profiles.values() if n > 1)
        for packet in packets:
            expected.update(facts_of(packet))
            resources = packet["metaData"]["resources"]
            stated.update(r["version"] for r in resources if r["namespacePrefix"] == "HP")
    del found["label.differs"]
    assert found == expected
    assert releases == stated
    assert len(releases) == 10


def test_the_findings_are_those_of_the_documents(
    shared_data: Path, intakes: list[Intake], documents: list[list[Json]]
) -> None:
    """B2: obsolete ids, other labels, late onsets and titles are found as by hand, and no more."""
    (path,) = (shared_data / "hpo").glob("hp-*.obo.gz")
    stanzas = gzip.decompress(path.read_bytes()).decode().split("\n\n")
    living = [text for text in stanzas if text.startswith("[Term]") and "is_obsolete" not in text]
    names = {re.search(r"id: (.*)", t)[1]: re.search(r"name: (.*)", t)[1] for t in living}  # type: ignore[index]
    expected: Counter[str] = Counter()
    n_uses = 0
    for packets in documents:
        pairs, titles = set(), set()
        for packet in packets:
            terms = [f["type"] for f in packet.get("phenotypicFeatures", [])]
            expected["term_obsolete"] += len({t["id"] for t in terms} - set(names))
            other = [
                (t["id"], t["label"]) for t in terms if names.get(t["id"]) not in (None, t["label"])
            ]
            n_uses += len(other)
            pairs |= set(other)
            titles |= {
                (r["id"], r["description"]) for r in packet["metaData"]["externalReferences"]
            }
            expected["no_observed_term"] += not any(profile_of(packet)[0])
        expected["label_differs"] += len(pairs)
        expected["publication_title"] += len(titles) - len({name for name, _ in titles})
    found = Counter(finding.code for intake in intakes for finding in intake.findings)
    late = {packet["id"] for packets in documents for packet in packets if is_late(packet)}
    named = {f.case_id for i in intakes for f in i.findings if f.code == "onset_after_encounter"}
    assert late <= named and (len(late), len(named)) == (N_LATE_BY_AGES, N_LATE)
    del found["onset_after_encounter"]
    assert found == expected
    assert sum(intake.facts.counts["label.differs"] for intake in intakes) == n_uses


def test_published_cases_survive_redaction(shared_data: Path) -> None:
    """A11: of one part every case leaves as a readable case with the same terms and no date."""
    part = Source(files=(str(shared_data / "phenopackets" / "part-0.jsonl.gz"),))
    for record in read_records(part):
        case = read_case(record.content)  # type: ignore[union-attr]  # no finding in this file
        shown = canonical_json(redact(case, "north.abc", "north", labels))
        arrived = read_case(shown)
        assert (arrived.observed, arrived.excluded) == (case.observed, case.excluded)
        assert [one.id for one in arrived.diseases] == [one.id for one in case.diseases]
        assert arrived.genes == case.genes
        assert case.case_id not in shown
        assert 'created":' not in shown
