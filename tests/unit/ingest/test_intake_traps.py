"""Every trap of real and of made-up phenopackets: what is said about it, and what comes of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from builders import BOTH, HEART, SEIZURE, TONIC, Json, a_phenopacket, a_record, a_small_ontology

from cluster.ingest.intake import Intake, take_in

ONTOLOGY = a_small_ontology()
CANARY = "Wilhelmine-Canary"


def age(text: str) -> Json:
    return {"age": {"iso8601duration": text}}


def ontology_class(term: str) -> Json:
    return {"ontologyClass": {"id": term, "label": "a class"}}


def weeks(number: int, days: int = 0) -> Json:
    return {"gestationalAge": {"weeks": number, "days": days}}


def seen_at(encounter: Json, *onsets: Json, of_disease: Json | None = None) -> Json:
    """A packet with a last encounter and onsets of its first terms."""
    terms = ("HP:0001250", "HP:0001626", "HP:0001627")
    packet = a_phenopacket(observed=terms, subject={"id": "1", "timeAtLastEncounter": encounter})
    for feature, onset in zip(packet["phenotypicFeatures"], onsets, strict=False):
        feature["onset"] = onset
    if of_disease:
        packet["diseases"][0]["onset"] = of_disease
    return packet


def labelled(term: str, label: str) -> Json:
    return a_phenopacket(phenotypicFeatures=[{"type": {"id": term, "label": label}}])


def written(**meta: Any) -> Json:
    return a_phenopacket(metaData=meta)


def variants(*given: Json) -> Json:
    found = [{"variantInterpretation": {"variationDescriptor": one}} for one in given]
    return a_phenopacket(
        interpretations=[{"id": "i", "diagnosis": {"genomicInterpretations": found}}]
    )


def in_gene(symbol: str, **more: Any) -> Json:
    return {"geneContext": {"symbol": symbol}} | more


def with_diseases(*given: tuple[str, bool]) -> Json:
    diseases = [{"term": {"id": name}, "excluded": out} for name, out in given]
    return a_phenopacket(disease=None, diseases=diseases)


Check = Callable[[Intake], object]


@dataclass(frozen=True)
class Trap:
    """A packet or several, the findings they bring, and what must hold of the intake."""

    name: str
    packets: Sequence[Json]
    codes: tuple[str, ...] = ()
    holds: Check = lambda intake: True
    facts: dict[str, int] = field(default_factory=dict)


def one(
    packet: Json, name: str, *codes: str, holds: Check = lambda intake: True, **facts: int
) -> Trap:
    """A trap of one packet; a fact ``age__duration`` is ``age.duration``."""
    return Trap(name, (packet,), codes, holds, {k.replace("__", "."): n for k, n in facts.items()})


def case(intake: Intake) -> Any:
    return intake.cases[0].case


def document(intake: Intake) -> Json:
    content: Json = json.loads(case(intake).document)
    return content


def rows(intake: Intake) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return intake.cases[0].terms.rows, intake.cases[0].excluded.rows


NO_FEATURES = {"id": "a", "diseases": [{"term": {"id": "OMIM:1"}}]}
TWICE = {"id": "a", "phenotypicFeatures": [{"type": {"id": "HP:0001250"}}] * 3}
FIXED = {"genomeAssembly": "hg38", "chrom": "7", "pos": "117559590"}
NUMBER = {"genomeAssembly": "hg38", "chrom": "chr7", "pos": 117559590}
TIMES = (
    "2025-01-01T10:00:00.123Z",
    "2025-01-01T10:00:00.123456Z",
    "2025-01-01T10:00:00.123456789Z",
)
RESOURCE = {"id": "hp", "namespacePrefix": "HP", "version": "2026-06-06"}

TRAPS = [
    one(
        a_phenopacket(excluded=("HP:0001626",)),
        "an excluded term is never observed",
        holds=lambda i: rows(i) == ((SEIZURE,), (HEART,)) and "Heart" not in case(i).text,
    ),
    one(NO_FEATURES, "no phenotypicFeatures", "no_observed_term", phenotype__missing=1),
    one(
        a_phenopacket(observed=(), excluded=("HP:0001626",)),
        "no observed term",
        "no_observed_term",
        holds=lambda i: i.cases[0].category == "uncategorised",
    ),
    one(
        a_phenopacket(),
        "no sex, age, onset",
        sex__missing=1,
        age__missing=1,
        disease_onset__missing=1,
    ),
    one(a_phenopacket(subject={"sex": "UNKNOWN_SEX"}), "unknown is not missing", sex__unknown=1),
    one(
        a_phenopacket(subject={"sex": CANARY}),
        "a sex that is no code",
        "sex_invalid",
        sex__unknown=1,
    ),
    one(seen_at(age("P6Y"), age("P3M")), "a duration", age__duration=1, feature_onset__duration=1),
    one(
        seen_at(weeks(22, 3), weeks(20)),
        "weeks of gestation",
        holds=lambda i: case(i).age_days == 0,
        age__gestational_age=1,
        feature_onset__gestational_age=1,
    ),
    one(
        seen_at(ontology_class("HP:0003593"), of_disease=ontology_class("HP:0003577")),
        "a class of onset",
        holds=lambda i: case(i).age_days is None,
        age__ontology_class=1,
        disease_onset__ontology_class=1,
    ),
    one(seen_at({"timestamp": "2020-01-01T00:00:00Z"}), "another form", age__other=1),
    one(
        seen_at(age("P2Y"), of_disease=age("P5Y")),
        "a disease's onset later",
        "onset_after_encounter",
    ),
    one(
        seen_at(age("P2Y"), age("P1Y"), age("P9Y")), "a sign's onset later", "onset_after_encounter"
    ),
    one(seen_at(weeks(20), weeks(24)), "both before birth", "onset_after_encounter"),
    one(
        seen_at(age("P2Y"), ontology_class("HP:0003581")), "a class later", "onset_after_encounter"
    ),
    one(
        seen_at(ontology_class("HP:0003623"), age("P1Y")),
        "later than a class",
        "onset_after_encounter",
    ),
    one(
        seen_at(age("P3Y"), age("P3Y6M"), ontology_class("HP:0003577")),
        "three years and a half is three",
    ),
    one(seen_at(weeks(20), ontology_class("HP:0003577")), "congenital may be before birth"),
    one(
        seen_at(age("P5"), of_disease=age(CANARY)),
        "a duration that cannot be read",
        "time_invalid",
        holds=lambda i: (
            case(i).age_days is None and document(i)["diseases"][0]["onset"] == age(CANARY)
        ),
        age__duration=1,
    ),
    one(
        a_phenopacket(observed=("HP:0009000",), excluded=("HP:0009000x",)),
        "an obsolete id, and one of another form",
        "term_obsolete",
        "term_foreign",
        holds=lambda i: rows(i) == ((SEIZURE,), ()) and case(i).observed == ("HP:0009000",),
    ),
    one(
        a_phenopacket(observed=("HP:0001250", "HP:7654321"), excluded=("HP:7654322",)),
        "terms newer than the ontology",
        "term_unknown",
        "term_unknown",
        holds=lambda i: "HP:7654321" in case(i).observed and "HP:7654322" in case(i).excluded,
    ),
    one(labelled("HP:0001250", CANARY), "another label", "label_differs", label__differs=1),
    one(labelled("HP:0001250", ""), "no label is no other label"),
    Trap(
        "a pair of id and label is named once and counted each time",
        [labelled("HP:0001250", "Fits") | {"id": name} for name in "abc"],
        ("label_differs",),
        facts={"label.differs": 3},
    ),
    one(
        written(resources=[RESOURCE]),
        "the release of the HPO",
        holds=lambda i: dict(i.facts.hpo_releases) == {"2026-06-06": 1},
    ),
    one(
        written(resources=[RESOURCE | {"version": f"{CANARY} !"}]),
        "a release that is a sentence",
        holds=lambda i: dict(i.facts.hpo_releases) == {"other": 1},
    ),
    Trap(
        "equal subject ids and profiles of different people",
        [a_phenopacket(name) for name in "ab"],
        holds=lambda i: len(i.cases) == 2,
        facts={"profile.shared_in_platform": 2},
    ),
    one(
        variants(in_gene("NF1"), in_gene("NF1")),
        "two variants",
        holds=lambda i: case(i).genes == ("NF1",),
        variant__several=1,
    ),
    one(
        variants(in_gene("NF1"), in_gene("ABCB7")),
        "several genes",
        variant__several=1,
        gene__several=1,
    ),
    one(
        variants({"label": "deletion", "structuralType": {"id": "SO:1", "label": "x"}}),
        "no gene, and no coordinates",
        gene__missing=1,
        variant__label_only=1,
    ),
    one(
        variants(in_gene("NF1", vcfRecord=FIXED), in_gene("NF1", vcfRecord=NUMBER)),
        "positions as text and number, chromosomes with chr and without",
        holds=lambda i: (
            [
                v["variantInterpretation"]["variationDescriptor"]["vcfRecord"]
                for v in document(i)["interpretations"][0]["diagnosis"]["genomicInterpretations"]
            ]
            == [FIXED, NUMBER]
        ),
    ),
    *(one(written(phenopacketSchemaVersion=v), f"schema {v}") for v in ("2", "2.0", "2.0.2")),
    *(
        one(written(phenopacketSchemaVersion=v), f"schema {v}", "schema_version")
        for v in ("1.0.0", "3", "2.1", CANARY)
    ),
    one(a_phenopacket(), "no schema version", schema_version__missing=1),
    one(
        a_phenopacket(phenotypicFeatures=[{"onset": age(CANARY)}, {"type": {"id": "HP:0001250"}}]),
        "a feature without a type",
        "id_missing",
        holds=lambda i: (
            rows(i) == ((SEIZURE,), ())
            and i.findings[0].message.startswith("phenotypicFeatures.0: no id")
        ),
    ),
    one(
        a_phenopacket(interpretations=[{"diagnosis": {"disease": {"id": "", "label": CANARY}}}]),
        "a diagnosis with an empty id",
        "id_missing",
        holds=lambda i: case(i).disease.id == "OMIM:100",
    ),
    one(a_phenopacket(subject={"sex": None}), "a sex that is null", sex__missing=1),
    one(a_phenopacket(subject={"sex": 0}), "unknown as a number", sex__unknown=1),
    one(a_phenopacket(subject={"sex": 9}), "a number of no sex", "sex_invalid", sex__unknown=1),
    *(
        one(
            written(created=time, createdBy=author),
            f"created {time} by {author}",
            holds=lambda i, time=time: document(i)["metaData"]["created"] == time,
        )
        for time, author in zip(TIMES, ("ORCID:0000-0002-0736-9199", "0000-0002", ""), strict=True)
    ),
    Trap(
        "a publication with two titles",
        [
            written(externalReferences=[{"id": "PMID:1", "description": title}]) | {"id": str(n)}
            for n, title in enumerate((CANARY, "B", "B", CANARY, ""))
        ],
        ("publication_title",),
        holds=lambda i: {taken.case.publication[0] for taken in i.cases} == {"PMID:1"},
    ),
    one(
        written(externalReferences=[{"id": "PMID:1", "description": "Köhler–Ménière 症候群"}]),
        "UTF-8",
        holds=lambda i: case(i).publication[1] == "Köhler–Ménière 症候群",
    ),
    Trap("an id twice", [a_phenopacket("a")] * 2, ("case_repeated",), lambda i: len(i.cases) == 1),
    Trap(
        "an id twice with different contents",
        [a_phenopacket("a"), a_phenopacket("a", disease="OMIM:2")],
        ("case_id_conflict",),
        lambda i: len(i.cases) == 1,
    ),
    one(
        with_diseases(("OMIM:1", False), ("OMIM:2", False)),
        "several diseases",
        "disease_several",
        holds=lambda i: case(i).disease.id == "OMIM:1",
    ),
    one(
        with_diseases(("OMIM:1", True), ("OMIM:2", False)),
        "an excluded disease",
        holds=lambda i: case(i).disease.id == "OMIM:2",
        disease__excluded=1,
    ),
    one(
        with_diseases(("OMIM:1", True), ("OMIM:1", False)),
        "a disease given and excluded",
        "no_disease",
        "disease_conflict",
    ),
    one(
        TWICE,
        "a term three times",
        "no_disease",
        "term_repeated",
        holds=lambda i: rows(i) == ((SEIZURE,), ()),
    ),
    one(
        a_phenopacket(observed=("HP:0001250", "HP:0001626"), excluded=("HP:0001250",)),
        "a term observed and excluded",
        "term_conflict",
        holds=lambda i: rows(i) == ((HEART,), ()),
    ),
    one(
        a_phenopacket(observed=("HP:0002069",), excluded=("HP:0001250",)),
        "an excluded ancestor of an observed term",
        "term_contradiction",
        holds=lambda i: rows(i) == ((TONIC,), (SEIZURE,)),
    ),
    one(
        a_phenopacket(observed=("HP:0001250",), excluded=("HP:0009000",)),
        "a term observed under one id and excluded under another",
        "term_obsolete",
        "term_contradiction",
    ),
    one(
        a_phenopacket(observed=("HP:0001250",), excluded=("HP:0002069", "HP:0003000")),
        "excluded terms below an observed one are no contradiction",
        holds=lambda i: rows(i) == ((SEIZURE,), (TONIC, BOTH)),
    ),
    one(
        a_phenopacket(observed=("HP:0000001", "HP:0001626")),
        "a term outside Phenotypic abnormality",
        "term_not_phenotypic",
        holds=lambda i: i.cases[0].category == "Heart" and len(rows(i)[0]) == 2,
    ),
    one(
        a_phenopacket(observed=("MP:0001250", "HP:0001250", "HP:1250")),
        "terms that are no HPO ids",
        "term_foreign",
        "term_foreign",
        holds=lambda i: rows(i) == ((SEIZURE,), ()) and case(i).observed[0] == "MP:0001250",
    ),
]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)
def test_a_trap_is_survived(trap: Trap) -> None:
    """B1 B2: each trap brings its findings and facts, has its effect, and loses no other case."""
    records = [a_record(packet, line) for line, packet in enumerate(trap.packets, 1)]
    last = len(records) + 1
    intake = take_in([*records, a_record(a_phenopacket("last"), last)], ONTOLOGY)
    assert [finding.code for finding in intake.findings] == list(trap.codes)
    assert [taken.case.case_id for taken in intake.cases][-1] == "last"
    assert CANARY not in str(intake.findings)
    for finding in intake.findings:
        assert finding.file and 0 < finding.line < last and finding.case_id and finding.message
    alone = take_in(records, ONTOLOGY)
    counted = alone.facts.result()
    assert trap.holds(alone)
    assert {name: counted.get(name) for name in trap.facts} == trap.facts
    assert CANARY not in str(counted) + str(alone.facts.hpo_releases)


def test_a_message_names_a_few_of_many() -> None:
    """B2: a case with many repeats brings one short finding, not a page."""
    terms = [f"HP:{number:07d}" for number in range(100, 110)] * 2
    intake = take_in([a_record(a_phenopacket(observed=terms))], ONTOLOGY)
    assert [f.code for f in intake.findings] == ["term_unknown"] * 10 + ["term_repeated"]
    assert intake.findings[-1].message.startswith("HP:0000100, ")
    assert "HP:0000104 and 5 more stand" in intake.findings[-1].message
