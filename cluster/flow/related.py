"""Related cases and literature beside a shared case, renewed on schedule (S1010-S1040)."""

from collections.abc import Mapping, Sequence

from cluster.case.case import read_case
from cluster.contracts.sharing import Envelope, RelatedItem, RelatedQuery
from cluster.flow.platform import Platform
from cluster.ids import canonical_json, key_of, sha256
from cluster.ontology import term_id
from cluster.retrieval.feature import vectors
from cluster.retrieval.ranking import explain, similarity
from cluster.sharing.refresh import best_items, is_due, may_see, new_or_changed
from cluster.storage import cases as case_rows
from cluster.storage import deliveries, journal

NETWORK = "network"
"""Audience of the names under which a platform asks about its cases."""
CANDIDATES = 20
TERMS_NAMED = 3


def due_queries(platform: Platform, now: float) -> tuple[list[RelatedQuery], tuple[str, ...]]:
    """Return what to ask for the shared cases that are due, and the platforms that may be asked.

    A case's terms leave with a question: only cases that may be shared are asked about, only of
    platforms with an agreement, and the audit row is durable before.
    """
    with platform.ledger.begin() as tx:
        allowed = case_rows.shareable_ids(tx, platform.platform_id)
        due = [
            case_id
            for case_id in sorted(deliveries.uploaded_cases(tx) & allowed)
            if is_due(deliveries.refreshed_at(tx, case_id), now, platform.settings.refresh_days)
        ]
        stored = case_rows.get_cases(tx, due)
        audience = deliveries.agreed_peers(tx)
        if due:
            facts = {"questions": len(due), "peers": list(audience)}
            journal.append_audit(tx, platform.clock.now(), "disclosure attempted", facts)
    queries = []
    for case_id in due:
        case = read_case(stored[case_id].document)
        rows = platform.ontology.resolve(case.observed).rows
        numbers = platform.ontology.numbers
        queries.append(
            RelatedQuery(
                case_id=platform.shared_id(case_id, NETWORK),
                terms=tuple(int(numbers[row]) for row in rows),
            )
        )
    return queries, audience


def find_related(
    platform: Platform, asker: str, queries: Sequence[RelatedQuery]
) -> dict[str, list[RelatedItem]]:
    """Answer from the platform's own cases and their publications, under names made for the asker.

    A case that is asked about is not related to itself. A platform that may not receive cases from
    here gets no answer.
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
    found = platform.index.nearest(queried, CANDIDATES, origin=platform.platform_id)
    answers = {}
    for query, rows, table in zip(queries, asked, found, strict=True):
        items: list[RelatedItem] = []
        for row in table.to_pylist():
            itself = is_home and platform.shared_id(row["case_id"], NETWORK) == query.case_id
            if rows and row["case_id"] in shareable and not itself:
                items.extend(_items(platform, asker, rows, row, audience))
        answers[query.case_id] = best_items(items, platform.settings.related_max)
    return answers


def store_related(
    platform: Platform, now: float, answers: Mapping[str, Sequence[RelatedItem]]
) -> int:
    """Keep what is new or changed, and queue it for the platforms that were sent the case.

    A platform is told only of what it may see; one that was sent the case later is told of all.
    The case's own publication is no related literature.

    Args:
        platform: the home of the cases.
        now: when the answers were asked for.
        answers: items by the name the case was asked under; an asked case without items is there
            with an empty list.

    Returns:
        The number of new or changed items.
    """
    n_pushed = 0
    with platform.ledger.begin() as tx:
        own = {platform.shared_id(i, NETWORK): i for i in deliveries.uploaded_cases(tx)}
        documents = case_rows.get_cases(tx, list(own.values()))
        targets = deliveries.case_targets(tx)
        for name, given in sorted(answers.items()):
            case_id = own.get(name)
            if case_id is None:  # no longer shared since it was asked about
                continue
            itself = read_case(documents[case_id].document).publication[0]
            others = [item for item in given if item.item_id != itself]
            best = best_items(others, platform.settings.related_max)
            pushed = new_or_changed(best, deliveries.related_digests(tx, case_id))
            deliveries.set_refreshed(tx, case_id, now)
            n_pushed += len(pushed)
            deliveries.put_related(tx, case_id, pushed)
            deliveries.keep_related(tx, case_id, [item.item_id for item in best])
            for peer in targets.get(case_id, []):
                known = deliveries.has_related(tx, case_id, peer)
                told = pushed if known else deliveries.get_related(tx, case_id)
                told = [item for item in told if may_see(item, peer)]
                if told:
                    envelope = _push(platform, case_id, peer, told)
                    deliveries.queue(tx, envelope, case_id, now=platform.clock.now())
    return n_pushed


def related_of(platform: Platform, case_id: str) -> list[RelatedItem]:
    """Return what is kept beside a case, for whoever opens or uses it (S1040)."""
    with platform.ledger.begin() as tx:
        return deliveries.get_related(tx, case_id)


def _items(
    platform: Platform,
    asker: str,
    asked: tuple[int, ...],
    row: Mapping[str, object],
    audience: tuple[str, ...],
) -> list[RelatedItem]:
    ontology = platform.ontology
    numbers = row["terms"]
    assert isinstance(numbers, list)  # noqa: S101 - the index's schema
    theirs = ontology.resolve(term_id(number) for number in numbers).rows
    score = round(similarity(asked, theirs, ontology), 6)
    matches = explain(asked, theirs, ontology)[:TERMS_NAMED]
    why = ", ".join(ontology.names[ontology.row_of(match.through)] for match in matches)
    case = RelatedItem(
        item_id=platform.shared_id(str(row["case_id"]), asker),
        kind="case",
        title=str(row["disease_label"]),
        platform=platform.platform_id,
        score=score,
        why=why,
        audience=audience,
    )
    publication = str(row["publication_id"])
    if not publication.startswith("PMID:"):
        return [case]
    literature = RelatedItem(
        item_id=publication,
        kind="literature",
        title=str(row["publication_title"]),
        platform=platform.platform_id,
        score=score,
        why=f"reports a similar case: {why}",
        audience=audience,
    )
    return [case, literature]


def _push(platform: Platform, case_id: str, peer: str, pushed: Sequence[RelatedItem]) -> Envelope:
    told = [item.model_copy(update={"audience": ()}) for item in pushed]
    payload = canonical_json([item.model_dump() for item in told])
    return Envelope(
        delivery_id=key_of("related", platform.platform_id, case_id, peer, sha256(payload)),
        kind="related",
        sender=platform.platform_id,
        receiver=peer,
        case_id=platform.shared_id(case_id, peer),
        digest=sha256(payload),
        payload=payload,
        epoch=0,
    )
