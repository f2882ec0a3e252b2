"""Patients like one that is asked about, over the Matchmaker Exchange (A11, B6).

What is read of the index only chooses; the platform itself says which of the chosen may be told,
from its ledger, in the transaction that writes the audit row.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from cluster.case.case import read_case
from cluster.case.redaction import redact
from cluster.contracts.matchmaking import Json, Matchmaker, PeerQuestion, Told
from cluster.errors import InputError, NotFound, PolicyRefusal
from cluster.flow.platform import Platform
from cluster.flow.search import Searchable
from cluster.retrieval.feature import vectors
from cluster.retrieval.index import CaseFilter
from cluster.retrieval.profiles import OWN, profiles_of
from cluster.retrieval.ranking import similarity
from cluster.standards.mme.match import RESULTS, Question, patient_score
from cluster.storage import cases as case_rows
from cluster.storage import journal, matchmakers
from cluster.storage.cases import StoredCase

NEAR: Final = 60
"""Cases that the vectors give."""
SAME: Final = 40
"""Cases of one gene or disorder that are looked at."""
CODES_MAX: Final = 20
"""Genes, and disorders, of one question that are looked for."""
COUNTED: Final = ("terms", "excluded", "genes", "disease_id")
"""Columns of which a server of the exchange tells the numbers."""
CHOSEN: Final = 3 * RESULTS
"""Cases of one platform that it is asked about; some may not be told."""


def choose(reader: Searchable, question: Question) -> dict[str, float]:
    """Return the own cases of a platform that answer a question best, with simGIC of each.

    Args:
        reader: of the platform's index.
        question: what is asked about a patient.
    """
    observed = reader.ontology.resolve(question.observed).rows
    tables = []
    if observed:
        tables += reader.index.nearest(
            vectors([observed], reader.ontology), NEAR, CaseFilter(state=OWN)
        )
    for gene in question.genes[:CODES_MAX]:
        tables.append(reader.index.listed(SAME, CaseFilter(state=OWN, gene=gene)))
    for code in question.disorders[:CODES_MAX]:
        tables.append(reader.index.listed(SAME, CaseFilter(state=OWN, disease_id=code)))
    if not tables:
        return {}
    found = pa.concat_tables(tables)
    profiles = profiles_of(found, reader.ontology)
    scored: dict[str, tuple[float, float]] = {}
    rows = zip(
        *(found[name].to_pylist() for name in ("case_id", "genes", "disease_id")), strict=True
    )
    for place, (case_id, genes, disease) in enumerate(rows):
        if case_id in scored:
            continue
        alike = similarity(observed, profiles.presentation(place).observed, reader.ontology)
        score = patient_score(
            alike,
            gene_match=not set(question.genes).isdisjoint(genes),
            same_disorder=disease in question.disorders,
        )
        scored[case_id] = score["patient"], alike
    best = sorted(scored, key=lambda one: (-scored[one][0], one))
    return {case_id: scored[case_id][1] for case_id in best[:CHOSEN]}


def disclose(platform: Platform, asker: str, chosen: Mapping[str, float]) -> list[Told]:
    """Return what a peer may be told of chosen cases, and write that it was told.

    Args:
        platform: whose cases they are.
        asker: the platform of the peer's token; one without an agreement is told nothing.
        chosen: similarity by case id, best first; as many are told as one answer has.
    """
    if not chosen:
        return []
    with platform.ledger.begin() as tx:
        if not matchmakers.is_agreed(tx, asker):
            return []
        stored = case_rows.get_cases(tx, list(chosen))
        allowed = (
            (stored[case_id], platform.shared_id(case_id, asker))
            for case_id in chosen
            if case_id in stored and _may_be_told(platform, stored[case_id])
        )
        told = list(islice(allowed, RESULTS))
        facts = {"peer": asker, "cases": sorted(shared_id for _, shared_id in told)}
        journal.append_audit(tx, platform.clock.now(), "disclosure attempted", facts)
    return [
        Told(
            shared_id=shared_id,
            document=_redacted(platform, one.document, shared_id),
            similarity=chosen[one.case_id],
        )
        for one, shared_id in told
    ]


def matchable(platform: Platform, asker: str) -> pa.Table:
    """Return columns of the cases that a peer may be told of; none without an agreement."""
    with platform.ledger.begin() as tx:
        is_agreed = matchmakers.is_agreed(tx, asker)
        may_be_told = case_rows.shareable_ids(tx, platform.platform_id) if is_agreed else set()
    held = platform.index.columns(["case_id", *COUNTED])
    kept = pa.array(sorted(may_be_told), pa.string())
    return held.filter(pc.is_in(held["case_id"], value_set=kept)).select(list(COUNTED))


def questions(
    platform: Platform, case_id: str, peers: Sequence[str], by: str
) -> list[PeerQuestion]:
    """Return what peers are asked about an own case, and write that they are.

    Args:
        platform: the case's home.
        case_id: of an own case whose consent is given.
        peers: ids; none for all that have an agreement and an address.
        by: name of the token.

    Raises:
        NotFound: the platform has no such case of its own.
        PolicyRefusal: the case may not be shared.
        InputError: a peer is not known, or has no agreement or address.
    """
    with platform.ledger.begin() as tx:
        stored = case_rows.get_case(tx, case_id)
        if stored is None or stored.origin != platform.platform_id:
            what = "there is no such case"
            raise NotFound(what, platform.platform_id, "Name one of the platform's own.")
        if not _may_be_told(platform, stored):
            what = "the case may not be shared"
            raise PolicyRefusal(what, "consent", "Its consent must be given first.")
        known = {
            one.peer_id: one for one in matchmakers.get_matchmakers(tx) if one.agreed and one.url
        }
        missing = sorted(set(peers) - set(known))
        if missing:
            what = f"peer {missing[0][:63]} has no agreement or no address"
            raise InputError(what, "peers", f"Those that can be asked: {', '.join(known)}.")
        asked = [known[name] for name in peers or known]
        names = {one.peer_id: platform.shared_id(case_id, one.peer_id) for one in asked}
        facts = {"peers": sorted(names), "cases": sorted(names.values()), "by": by}
        journal.append_audit(tx, platform.clock.now(), "disclosure attempted", facts)
    return [
        PeerQuestion(
            peer=one,
            shared_id=names[one.peer_id],
            document=_redacted(platform, stored.document, names[one.peer_id]),
        )
        for one in asked
    ]


def _may_be_told(platform: Platform, case: StoredCase) -> bool:
    """Say whether a case is the platform's own, active, and its consent given."""
    is_own = case.origin == platform.platform_id
    return is_own and (case.state, case.consent) == ("active", "share")


def put_matchmaker(platform: Platform, peer: Matchmaker, by: str) -> None:
    """Keep a peer, and write that its agreement was given or ended."""
    with platform.ledger.begin() as tx:
        matchmakers.put_matchmaker(tx, peer)
        facts = {"peer": peer.peer_id, "agreed": peer.agreed, "by": by}
        journal.append_audit(tx, platform.clock.now(), "matchmaker agreement", facts)


def get_matchmakers(platform: Platform) -> list[Matchmaker]:
    """Return the peers of a platform."""
    with platform.ledger.begin() as tx:
        return matchmakers.get_matchmakers(tx)


def _redacted(platform: Platform, document: str, shared_id: str) -> Json:
    return redact(read_case(document), shared_id, platform.platform_id, platform.names)
