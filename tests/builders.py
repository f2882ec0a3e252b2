"""Small true things to test with: cases, an ontology, messages, and a reference index."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from cluster.case.case import Case, read_case
from cluster.contracts.related import RelatedItem
from cluster.contracts.result import SIMULATED, FlowPlan
from cluster.contracts.sharing import DecisionRecord, Envelope, Peer, PlatformProfile, Receipt
from cluster.contracts.trend import Prediction
from cluster.ids import sha256
from cluster.ingest.intake import Record
from cluster.ontology import TABLE, Floats, Ontology
from cluster.retrieval.feature import ANSWERS, DIMENSIONS, FEATURES
from cluster.retrieval.index import EVERY_CASE, CaseFilter, bound

Json = dict[str, Any]

# number, name, parents, information, replaced_by, obsolete; row numbers, not term numbers
TERM_ROWS: tuple[tuple[int, str, list[int], float, int | None, bool], ...] = (
    (1, "All", [], 0.0, None, False),
    (118, "Phenotypic abnormality", [0], 0.0, None, False),
    (707, "Nervous system", [1], 1.0, None, False),
    (1250, "Seizure", [2], 2.0, None, False),
    (1626, "Heart", [1], 1.0, None, False),
    (1627, "Heart shape", [4], 2.0, None, False),
    (2069, "Tonic-clonic seizure", [3], 3.0, None, False),
    (3000, "Seizure of the heart", [3, 5], 4.0, None, False),
    (9000, "Fit", [], 6.0, 3, True),
    (9001, "Humours", [], 6.0, None, True),
)
ALL, ABNORMALITY, NERVES, SEIZURE, HEART, HEART_SHAPE, TONIC, BOTH, OLD, GONE = range(10)
TERM_NAMES = {f"HP:{number:07d}": name for number, name, *_ in TERM_ROWS}
TERM_IDS = ("HP:0000707", "HP:0001250", "HP:0001626", "HP:0001627", "HP:0002069", "HP:0003000")


def a_small_ontology() -> Ontology:
    """Build the table by hand; ancestors by walking up the parents."""

    def above(row: int) -> set[int]:
        return {row}.union(*(above(parent) for parent in TERM_ROWS[row][2]))

    rows = [
        {
            "number": number,
            "name": name,
            "parents": parents,
            "ancestors": sorted(above(row)),
            "information": information,
            "replaced_by": replaced_by,
            "obsolete": obsolete,
            "synonyms": [],
            "definition": "",
        }
        for row, (number, name, parents, information, replaced_by, obsolete) in enumerate(TERM_ROWS)
    ]
    return Ontology(pa.Table.from_pylist(rows, schema=TABLE), version="ten terms")


def a_phenopacket(
    case_id: str = "case-1",
    observed: Sequence[str] = ("HP:0001250",),
    excluded: Sequence[str] = (),
    disease: str | None = "OMIM:100",
    publication: str = "",
    **more: object,
) -> Json:
    """Return a phenopacket as JSON content."""
    types = [{"id": term, "label": TERM_NAMES.get(term, "")} for term in (*observed, *excluded)]
    features: list[Json] = [{"type": one} for one in types[: len(observed)]]
    features += [{"type": one, "excluded": True} for one in types[len(observed) :]]
    packet: Json = {"id": case_id, "subject": {"id": "1"}, "phenotypicFeatures": features}
    if disease:
        packet["diseases"] = [{"term": {"id": disease, "label": f"Disease {disease}"}}]
    if publication:
        references = [{"id": publication, "description": f"About {publication}"}]
        packet["metaData"] = {"externalReferences": references}
    return packet | more


def a_case(case_id: str = "case-1", **parts: Any) -> Case:
    """Return a case that has been read."""
    return read_case(json.dumps(a_phenopacket(case_id, **parts)))


def a_record(content: object, line: int = 1, file: str = "cases.jsonl") -> Record:
    """Return a record; content that is not bytes is written as JSON."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Record(file, line, raw)


term_ids = st.sampled_from(TERM_IDS)
ages = st.builds(
    lambda years, months: f"P{years}Y{months}M", st.integers(0, 120), st.integers(0, 11)
)
times: st.SearchStrategy[Json] = st.one_of(
    ages.map(lambda age: {"age": {"iso8601duration": age}}),
    st.integers(1, 42).map(lambda weeks: {"gestationalAge": {"weeks": weeks}}),
    st.just({"ontologyClass": {"id": "HP:0003593", "label": "Infantile onset"}}),
)
features: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {"type": term_ids.map(lambda term: {"id": term, "label": term})},
    optional={"excluded": st.booleans(), "onset": times},
)


@st.composite
def phenopackets(draw: st.DrawFn) -> Json:
    """Draw phenopackets that say at least one thing about somebody."""
    packet = a_phenopacket(draw(st.text("abc-1", min_size=1, max_size=8)), observed=())
    packet["phenotypicFeatures"] = draw(st.lists(features, min_size=1, max_size=8))
    packet["subject"] = {"id": "II-3", "sex": draw(st.sampled_from(["MALE", "FEMALE"]))}
    if draw(st.booleans()):
        packet["subject"]["timeAtLastEncounter"] = draw(times)
    packet["diseases"][0]["excluded"] = draw(st.booleans())
    return packet


def a_plan(**changes: Any) -> FlowPlan:
    """Return the plan of a SIMULATED run."""
    fields = {
        "run": "run",
        "cases": SIMULATED,
        "events": SIMULATED,
        "as_of": 0.0,
        "history_days": 120,
        "seed": 1,
        "platforms": 4,
        "cases_per_platform": 400,
        "no_agreement": (),
        "settings": {},
    }
    return FlowPlan.model_validate(fields | changes)


def a_peer(peer_id: str = "south", **changes: Any) -> Peer:
    """Return a platform that may receive."""
    known = {"linked": True, "agreed": True, "public_key": "00", "policy_epoch": 1}
    return Peer.model_validate({"peer_id": peer_id} | known | changes)


def a_profile(platform_id: str = "north", **changes: Any) -> PlatformProfile:
    """Return what a platform says of itself."""
    told = {"platform_id": platform_id, "region": "Hesse", "person_years_at_risk": 1e6}
    return PlatformProfile.model_validate(told | changes)


def an_envelope(delivery_id: str = "d1", **changes: Any) -> Envelope:
    """Return a delivery from north to south."""
    payload = str(changes.get("payload", "{}"))
    fields = {
        "delivery_id": delivery_id,
        "kind": "case",
        "sender": "north",
        "receiver": "south",
        "case_id": "north.abc",
        "digest": sha256(payload),
        "payload": payload,
        "epoch": 0,
    }
    return Envelope.model_validate(fields | changes)


def a_receipt(**changes: Any) -> Receipt:
    """Return a receipt without a signature."""
    fields = {"delivery_id": "d1", "receiver": "south", "digest": "ab", "received_at": 5.0}
    return Receipt.model_validate(fields | changes)


def an_item(item_id: str = "i1", **changes: Any) -> RelatedItem:
    """Return a related case."""
    fields = {"kind": "case", "title": "A case", "score": 0.5, "why": "HP:0001250"}
    return RelatedItem.model_validate({"item_id": item_id} | fields | changes)


def a_decision(decision_id: str = "q1", **changes: Any) -> DecisionRecord:
    """Return an upload that the first index decided."""
    first = Prediction(
        item_id="case-1",
        sample_id="s",
        model_version="m1",
        index=0.7,
        log_growth=1.0,
        clicks=2.0,
        usages=1.0,
        inputs_digest="ff",
    )
    fields = {
        "decision_id": decision_id,
        "case_id": "case-1",
        "rev": 1,
        "platform": "north",
        "period_end": 100.0,
        "period_days": 7.0,
        "visits_per_day": 10.0,
        "clicks": 2,
        "usages": 1,
        "propagation_index": 0.3,
        "index_min": 0.3,
        "index_max": 1.0,
        "first": first,
        "second": None,
        "outcome": "upload",
        "decided_by": "first",
        "reason": "in range",
        "targets": ("south",),
    }
    return DecisionRecord.model_validate(fields | changes)


def unit_vector(axis: int, towards: int | None = None) -> list[float]:
    """Return a unit vector along an axis, or half-way between two."""
    vector = np.zeros(DIMENSIONS, np.float32)
    vector[[axis] if towards is None else [axis, towards]] = 1
    return list(map(float, vector / np.linalg.norm(vector)))


def a_feature(case_id: str, **changes: Any) -> Json:
    """Return one row of ``FEATURES``."""
    row = {
        "case_id": case_id,
        "digest": "d",
        "origin": "north",
        "state": "own",
        "disease_id": "OMIM:1",
        "disease_label": "One",
        "category": "Heart",
        "genes": [],
        "publication_id": "",
        "publication_title": "",
        "sex": "FEMALE",
        "age_years": None,
        "rare_feature": 1.0,
        "text": "nothing",
        "terms": [1250],
        "excluded": [],
        "vector": unit_vector(0),
    }
    return row | changes


def feature_table(*rows: Json) -> pa.Table:
    """Return rows as a table of ``FEATURES``."""
    return pa.Table.from_pylist(list(rows), schema=FEATURES)


def passes(row: Json, where: CaseFilter) -> bool:
    """Say in plain Python whether a row of ``FEATURES`` passes a filter."""
    for name in ("disease_id", "category", "origin", "state", "sex"):
        if getattr(where, name) not in (None, row[name]):
            return False
    if where.gene is not None and where.gene not in row["genes"]:
        return False
    ranges = (
        (row["age_years"], where.age_min, where.age_max),
        (row["rare_feature"], where.rare_min, where.rare_max),
    )
    for value, least, most in ranges:
        if least is not None and (value is None or value < bound(least)):
            return False
        if most is not None and (value is None or value > bound(most)):
            return False
    return True


class MemoryIndex:
    """A ``CaseIndex`` of plain rows: what the contract means, by brute force."""

    def __init__(self) -> None:
        self._rows: dict[str, Json] = {}

    def upsert(self, features: pa.Table) -> None:
        """Replace by case id."""
        self._rows |= {row["case_id"]: row for row in features.to_pylist()}

    def remove(self, case_ids: Sequence[str]) -> None:
        """Forget by case id."""
        for case_id in case_ids:
            self._rows.pop(case_id, None)

    def set_rare_features(self, values: Mapping[str, float]) -> None:
        """Change known cases only."""
        for case_id in values.keys() & self._rows.keys():
            stored = float(np.float32(values[case_id]))
            self._rows[case_id] = self._rows[case_id] | {"rare_feature": stored}

    def _best(self, scores: Mapping[str, float], k: int, where: CaseFilter) -> pa.Table:
        found = [
            {name: value for name, value in self._rows[case_id].items() if name != "vector"}
            | {"score": round(float(score), 6)}
            for case_id, score in scores.items()
            if passes(self._rows[case_id], where)
        ]
        found.sort(key=lambda row: (-row["score"], row["case_id"]))
        return pa.Table.from_pylist(found[:k], schema=ANSWERS)

    def nearest(self, queries: Floats, k: int, where: CaseFilter = EVERY_CASE) -> list[pa.Table]:
        """Sort by dot product."""
        return [
            self._best(
                {i: float(np.dot(row["vector"], query)) for i, row in self._rows.items()}, k, where
            )
            for query in queries
        ]

    def matching(self, text: str, k: int, where: CaseFilter = EVERY_CASE) -> pa.Table:
        """Count shared words."""
        asked = _words(text)
        shared = {i: len(asked & _words(row["text"])) for i, row in self._rows.items()}
        return self._best({i: score for i, score in shared.items() if score}, k, where)

    def listed(self, k: int, where: CaseFilter = EVERY_CASE) -> pa.Table:
        """Sort by case id."""
        return self._best(dict.fromkeys(self._rows, 0.0), k, where)

    def settle(self) -> None:
        """Have nothing to prepare."""

    def rows(self, case_ids: Sequence[str]) -> pa.Table:
        """Look up."""
        return feature_table(*(self._rows[i] for i in set(case_ids) & self._rows.keys()))

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Sort by case id."""
        return feature_table(*(self._rows[i] for i in sorted(self._rows))).select(list(names))

    def count(self) -> int:
        """Count."""
        return len(self._rows)

    def clear(self) -> None:
        """Forget."""
        self._rows = {}


def _words(text: str) -> set[str]:
    return set("".join(c.lower() if c.isalnum() else " " for c in text).split())


def labels(term: str) -> str:
    """Name the one term that the small documents use."""
    return {"HP:0001250": "Seizure"}.get(term, "")


def tree_events(parents: Sequence[int], case: str = "case", copies: int = 1) -> list[Json]:
    """Write transmission trees as events: node i hangs under parents[i], -1 is the root."""
    events: list[Json] = []
    for copy in range(copies):
        for node, parent in enumerate(parents):
            name = f"{case}-{copy}-{node}"
            where = {"case_id": case, "platform": "north", "user": f"u{copy}-{node}"}
            shown_by = None if parent < 0 else f"{case}-{copy}-{parent}"
            click = {"event_id": f"click-{name}", "kind": "view", "at": 10.0 * node + 5}
            share = {"event_id": name, "kind": "share", "at": 10.0 * node + 9}
            events.append(where | click | {"parent_id": shown_by})
            events.append(where | share | {"parent_id": click["event_id"]})
    return events
