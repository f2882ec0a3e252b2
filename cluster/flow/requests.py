"""What callers ask of one platform, a case at a time; every command may carry a key (B9)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection

from cluster.case.case import read_case
from cluster.contracts.share import CaseAdded, CasePage, CaseSummary, CaseView
from cluster.errors import Conflict, InputError, NotFound, Withdrawn
from cluster.flow.platform import Platform
from cluster.flow.projection import project
from cluster.ids import sha256
from cluster.ingest.intake import Record, take_in
from cluster.storage import cases as case_rows
from cluster.storage import journal
from cluster.storage.cases import StoredCase

M = TypeVar("M", bound=BaseModel)
PAGE_MAX = 200


@dataclass(frozen=True)
class Command:
    """Who gives a command, and the key that tells its repeats; an empty one tells none."""

    caller: str
    key: str


def add_case(platform: Platform, document: bytes, command: Command, consent: str) -> CaseAdded:
    """Take in a phenopacket: durable first, then findable (S310, S400).

    The same case again changes nothing; an own case with other content is a new revision.

    Args:
        platform: whose case it will be.
        document: JSON.
        command: without a key the case's own id and content tell repeats.
        consent: of a new case, ``share`` or ``private``; a known one keeps its own.

    Raises:
        CaseInvalid: it is no readable phenopacket.
        Conflict: the key came with another case, or the id belongs to another platform's case.
    """
    case = read_case(document)
    intake = take_in([Record("request", 1, document)], platform.ontology)

    def effect(tx: Connection) -> CaseAdded:
        taken = [(one.case, one.category) for one in intake.cases]
        counts = case_rows.put_cases(tx, taken, origin=platform.platform_id, consent=consent)
        stored = case_rows.get_case(tx, case.case_id)
        return CaseAdded(
            case_id=case.case_id,
            rev=stored.rev if stored else 1,
            result="added" if counts.added else "revised" if counts.revised else "unchanged",
            digest=case.digest,
            findings=tuple(intake.findings),
        )

    digest = sha256(f"{consent}:".encode() + document)
    made = _once(platform, command, digest, CaseAdded, effect)
    project(platform)
    return made


def _once(
    platform: Platform,
    command: Command,
    digest: str,
    answer: type[M],
    effect: Callable[[Connection], M],
) -> M:
    """Do a command and keep its answer in one transaction; a repeat gets the kept answer.

    Raises:
        Conflict: the key came before with another content.
    """
    owner, key = f"{answer.__name__} {command.caller}", command.key
    with platform.ledger.begin() as tx:
        done = journal.answer_of(tx, owner, key) if key else None
        if done is not None and done.body_digest != digest:
            what = "this idempotency key came before with another content"
            raise Conflict(what, "Idempotency-Key", "Draw a new key for a new command.")
        if done is not None:
            return answer.model_validate_json(done.response)
        made = effect(tx)
        if key:
            journal.answer(tx, owner, key, digest, made.model_dump_json())
    return made


def get_case(platform: Platform, case_id: str, reader: str) -> CaseView:
    """Return a case; that it was read is in the audit chain before it is shown.

    Raises:
        NotFound: the platform does not hold it.
        Withdrawn: it held it until it was taken back.
    """
    with platform.ledger.begin() as tx:
        stored = case_rows.get_case(tx, case_id)
        if stored is None and case_rows.is_recalled(tx, case_id):
            what = "its home has taken the case back"
            raise Withdrawn(what, platform.platform_id, "Forget what you have of it.")
        if stored is None:
            what = "there is no such case"
            raise NotFound(what, platform.platform_id, "Look for it with a search.")
        facts = {"case": platform.shared_id(case_id, "audit"), "reader": reader}
        journal.append_audit(tx, platform.clock.now(), "case read", facts)
    return CaseView(
        **_summary(stored).model_dump(),
        digest=stored.digest,
        phenopacket=json.loads(stored.document),
    )


def list_cases(platform: Platform, after: str, limit: int) -> CasePage:
    """Return cases by id, from one on.

    Args:
        platform: whose cases are listed.
        after: id after which the page begins; empty at the beginning.
        limit: cases of the page.

    Raises:
        InputError: the limit is out of range.
    """
    if not 1 <= limit <= PAGE_MAX:
        what = f"limit is {limit}"
        raise InputError(what, "limit", f"Ask for 1 to {PAGE_MAX}.")
    with platform.ledger.begin() as tx:
        found = case_rows.page_of_cases(tx, after, limit + 1)
    shown = tuple(_summary(one) for one in found[:limit])
    return CasePage(cases=shown, next=shown[-1].case_id if len(found) > limit else None)


def _summary(stored: StoredCase) -> CaseSummary:
    return CaseSummary(
        case_id=stored.case_id,
        rev=stored.rev,
        origin=stored.origin,
        state=stored.state,
        consent=stored.consent,
        disease_id=stored.disease_id or "",
        disease_label=stored.disease_label,
        category=stored.category,
        rare_feature=stored.rare_feature,
    )
