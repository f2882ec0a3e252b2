"""Related cases and literature beside a shared case, renewed on schedule (S1010-S1040).

Each source, that is each platform of the network, a file and PubMed, has a schedule of its own for
each case: its last answer is kept and counts until it gives another one. A source that fails
changes nothing, and is asked again at the next refresh.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from cluster.case.case import Case, read_case
from cluster.case.codes import code_of, is_symbol
from cluster.contracts.related import (
    PMID,
    LiteratureQuery,
    RelatedAnswers,
    RelatedItem,
    RelatedQuery,
    RelatedQuestions,
)
from cluster.flow.platform import Platform
from cluster.flow.pushes import push_new
from cluster.ontology import term_id
from cluster.retrieval.feature import vectors
from cluster.retrieval.index import CaseFilter
from cluster.retrieval.literature import (
    NETWORK,
    OUTSIDE,
    SAME_DISEASE,
    SAME_GENE,
    SOURCES,
    relation,
    score_of,
)
from cluster.retrieval.profiles import profiles_of
from cluster.retrieval.ranking import explain, similarity
from cluster.sharing.refresh import (
    SCORE_MIN,
    best_items,
    is_due,
)
from cluster.storage import cases as case_rows
from cluster.storage import deliveries, journal
from cluster.storage.literature import NAMED

CANDIDATES = 20
TERMS_NAMED = 3
LONG_AGO = 0.0
"""When an answer was given that is to be asked for anew."""


def due_questions(platform: Platform, now: float, sources: Sequence[str] = ()) -> RelatedQuestions:
    """Return what to ask for the shared cases that are due, by who is asked.

    A question is a disclosure: only cases that may be shared are asked about, only of platforms
    with an agreement and of the literature sources that are in use, and the audit row is durable
    before. A platform is told terms, disease and genes; a literature source disease and genes. Each
    is asked under a name of its own for the case, so that no two can join what they heard by it.

    Args:
        platform: the home of the cases.
        now: the present, in seconds since the epoch.
        sources: literature sources in use.
    """
    with platform.ledger.begin() as tx:
        allowed = case_rows.shareable_ids(tx, platform.platform_id)
        answered = deliveries.answered_at(tx)
        shared = sorted(deliveries.uploaded_cases(tx) & allowed)
        stored = case_rows.get_cases(tx, shared)
        asked_of = (platform.platform_id, *deliveries.agreed_peers(tx))

        def due(source: str) -> list[str]:
            days = platform.settings.refresh_days
            return [i for i in shared if is_due(answered.get((i, source)), now, days)]

        due_of = {one: due(f"{NETWORK}:{one}") for one in asked_of} | {s: due(s) for s in sources}
        cases = {i: read_case(stored[i].document) for i in sorted(set().union(*due_of.values()))}
        queries = {i: _query(platform, case) for i, case in cases.items()}
        questions = RelatedQuestions(
            network={
                one: tuple(
                    queries[i].model_copy(update={"case_id": _name(platform, i, one)})
                    for i in due_of[one]
                )
                for one in asked_of
            },
            literature={
                one: tuple(
                    query
                    for i in due_of[one]
                    if (query := _askable(platform, i, queries[i], one)).disease_id or query.genes
                )
                for one in sources
            },
        )
        _note_disclosures(tx, platform, questions)
    return questions


def find_related(
    platform: Platform, asker: str, queries: Sequence[RelatedQuery]
) -> dict[str, list[RelatedItem]]:
    """Answer from the platform's own cases and their publications, under names made for the asker.

    At home they have their own ids. A case that is asked about is not related to itself. A platform
    that may not receive cases from here gets no answer. What another one is told is in the audit
    chain before it leaves.
    """
    with platform.ledger.begin() as tx:
        peer = deliveries.get_peer(tx, asker)
        shareable = case_rows.shareable_ids(tx, platform.platform_id)
        audience = deliveries.agreed_peers(tx)
    is_home = asker == platform.platform_id
    if not (is_home or (peer and peer.linked and peer.agreed)):
        return {}
    asked = [
        platform.ontology.resolve(term_id(number) for number in query.terms).rows
        for query in queries
    ]
    queried = vectors(asked, platform.ontology)
    own = CaseFilter(origin=platform.platform_id)
    found = platform.index.nearest(queried, CANDIDATES, own)
    answers, case_of = {}, {}
    for query, rows, table in zip(queries, asked, found, strict=True):
        items: list[RelatedItem] = []
        near = profiles_of(table, platform.ontology)
        for place, row in enumerate(table.to_pylist()):
            itself = is_home and _name(platform, row["case_id"], asker) == query.case_id
            if rows and row["case_id"] in shareable and not itself:
                terms = (rows, near.presentation(place).observed)
                case, *literature = _items(platform, asker, query, terms, row)
                case_of[case.item_id] = row["case_id"]
                items += (case, *literature)
        named = (item.model_copy(update={"audience": audience}) for item in items)
        answers[query.case_id] = best_items(named, platform.settings.related_max)
    if not is_home:
        told = {item.item_id for items in answers.values() for item in items if item.kind == "case"}
        facts = {"peer": asker, "cases": sorted(told)}
        with platform.ledger.begin() as tx:
            deliveries.note_named(tx, asker, [case_of[name] for name in told])
            journal.append_audit(tx, platform.clock.now(), "disclosure attempted", facts)
    return answers


def store_related(platform: Platform, now: float, answers: RelatedAnswers) -> int:
    """Keep what is new or changed, and queue it for the platforms that were sent the case.

    A platform is told only of what it may see; one that was sent the case later is told of all.
    The case's own publications are no related literature.

    Args:
        platform: the home of the cases.
        now: when the questions were asked.
        answers: items by who answered and the name that it was asked about the case under; an
            answer without items is an empty one, no answer is none.

    Returns:
        The number of new or changed items.
    """
    n_pushed = 0
    with platform.ledger.begin() as tx:
        given = _by_case(platform, deliveries.uploaded_cases(tx), answers)
        gone = _gone(tx, platform, now, answers)
        asked = sorted({case_id for found in given.values() for case_id in found})
        documents = case_rows.get_cases(tx, asked)
        peers = (platform.platform_id, *deliveries.agreed_peers(tx))
        in_use = [one for one in SOURCES if one in answers.sources]
        in_use += [f"{NETWORK}:{one}" for one in peers]
        targets = deliveries.case_targets(tx)
        for case_id in asked:
            itself = set(_publications(read_case(documents[case_id].document)))
            for source, found in given.items():
                if case_id in found:
                    others = [
                        item
                        for item in found[case_id]
                        if item.item_id not in itself and (item.platform, item.item_id) not in gone
                    ]
                    kept = best_items(others, platform.settings.related_max)
                    deliveries.put_answer(tx, case_id, source, kept, now)
            known = deliveries.get_answers(tx, case_id)
            best = best_items(
                (item for source in in_use for item in known.get(source, ())),
                platform.settings.related_max,
            )
            home = documents[case_id]
            n_pushed += push_new(tx, platform, home, best, targets.get(case_id, []))
    return n_pushed


def forget(tx: Connection, platform: Platform, item_id: str, origin: str) -> None:
    """Take a case that its platform has taken back out of what stands beside own cases (B9).

    Who was told of it beside them is told what stands there now. Who has named it is asked anew at
    the next refresh: it may be shared again by then.

    Args:
        tx: in which it is taken back.
        platform: the home of the cases.
        item_id: the name under which it was told.
        origin: who told of it; an item of anybody else stays.
    """

    def stays(item: RelatedItem) -> bool:
        return (item.item_id, item.platform) != (item_id, origin)

    stored = case_rows.get_cases(tx, deliveries.cases_beside(tx, item_id))
    own = {i: case for i, case in stored.items() if case.origin == platform.platform_id}
    targets = deliveries.case_targets(tx)
    for case_id, case in sorted(own.items()):
        for source, items in deliveries.get_answers(tx, case_id).items():
            kept = [item for item in items if stays(item)]
            if len(kept) < len(items):
                deliveries.put_answer(tx, case_id, source, kept, LONG_AGO)
        before = deliveries.get_related(tx, case_id)
        best = [item for item in before if stays(item)]
        if len(best) < len(before):
            push_new(tx, platform, case, best, targets.get(case_id, []))


def related_of(platform: Platform, case_id: str) -> list[RelatedItem]:
    """Return what is kept beside a case, for whoever opens or uses it (S1040)."""
    with platform.ledger.begin() as tx:
        return deliveries.get_related(tx, case_id)


def _query(platform: Platform, case: Case) -> RelatedQuery:
    """Return what is asked about a case, still without a name.

    Disease and genes are codes: what stands in their place is somebody's words, and stays.
    """
    rows = platform.ontology.resolve(case.observed).rows
    return RelatedQuery(
        case_id="",
        terms=tuple(int(platform.ontology.numbers[row]) for row in rows),
        disease_id=code_of(case.disease.id) if case.disease else "",
        genes=tuple(gene for gene in case.genes if is_symbol(gene)),
    )


def _askable(platform: Platform, case_id: str, query: RelatedQuery, source: str) -> LiteratureQuery:
    """Return what a source is asked; one outside knows no disease without a published name."""
    is_known = source not in OUTSIDE or query.disease_id.startswith(NAMED)
    return LiteratureQuery(
        case_id=platform.shared_id(case_id, source),
        disease_id=query.disease_id if is_known else "",
        genes=query.genes,
    )


def _by_case(
    platform: Platform, shared: Iterable[str], answers: RelatedAnswers
) -> dict[str, dict[str, Sequence[RelatedItem]]]:
    """Return what each source has answered about the platform's own cases, by their own ids."""
    told: dict[str, Mapping[str, Sequence[RelatedItem]]] = {
        **{f"{NETWORK}:{one}": found for one, found in answers.network.items()},
        **answers.literature,
    }
    cases = sorted(shared)
    return {
        source: {i: found[n] for i in cases if (n := platform.shared_id(i, source)) in found}
        for source, found in told.items()
    }


def _gone(
    tx: Connection, platform: Platform, now: float, answers: RelatedAnswers
) -> set[tuple[str, str]]:
    """Return (platform, item) of the cases that were taken back while the answer was on its way."""
    home = platform.platform_id
    at_home = answers.network.get(home, {}).values()
    named = {item.item_id for items in at_home for item in items if item.kind == "case"}
    named -= case_rows.shareable_ids(tx, home)
    return case_rows.recalled_since(tx, now) | {(home, name) for name in named}


def _name(platform: Platform, case_id: str, asked: str) -> str:
    """Name a case in the questions to one platform; a delivery has another name for it."""
    return platform.shared_id(case_id, f"{NETWORK}:{asked}")


def _note_disclosures(tx: Connection, platform: Platform, questions: RelatedQuestions) -> None:
    """Write into the audit chain what is about to be asked of others."""
    now = platform.clock.now()
    peers = {p: len(q) for p, q in questions.network.items() if q and p != platform.platform_id}
    if peers:
        facts = {"questions": max(peers.values()), "peers": sorted(peers)}
        journal.append_audit(tx, now, "disclosure attempted", facts)
    for source, queries in questions.literature.items():
        if queries and source in OUTSIDE:
            told = {
                "peer": source,
                "questions": len(queries),
                "diseases": sorted({query.disease_id for query in queries} - {""}),
                "genes": sorted({gene for query in queries for gene in query.genes}),
            }
            journal.append_audit(tx, now, "disclosure attempted", told)


def _items(
    platform: Platform,
    asker: str,
    query: RelatedQuery,
    terms: tuple[tuple[int, ...], tuple[int, ...]],
    row: Mapping[str, Any],
) -> list[RelatedItem]:
    """Return a case that was found and, where it is published, its publication."""
    score = round(similarity(*terms, platform.ontology), 6)
    matches = explain(*terms, platform.ontology)[:TERMS_NAMED]
    why, case_id = ", ".join(match.through_name for match in matches), str(row["case_id"])
    case = RelatedItem(
        item_id=case_id if asker == platform.platform_id else platform.shared_id(case_id, asker),
        kind="case",
        title=platform.names(str(row["disease_id"])),
        platform=platform.platform_id,
        score=score,
        why=why,
    )
    publication = str(row["publication_id"])
    if score < SCORE_MIN or not PMID.fullmatch(publication):
        return [case]
    about = LiteratureQuery(case_id=query.case_id, disease_id=query.disease_id, genes=query.genes)
    same = relation(about, (str(row["disease_id"]),), row["genes"])
    level = SAME_DISEASE if same.startswith("same disease") else SAME_GENE if same else 0
    literature = RelatedItem(
        item_id=publication,
        kind="literature",
        title="",  # the words of the case; other sources know the publication
        platform=platform.platform_id,
        score=score_of(level, score),
        why="; ".join(filter(None, (same, f"reports a similar case: {why}"))),
    )
    return [case, literature]


def _publications(case: Case) -> list[str]:
    return [reference.id for reference in case.phenopacket.meta_data.external_references]
