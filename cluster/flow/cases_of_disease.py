"""Which rare cases of a disease the network has, asked by the disease (C8).

A case is of the disease where its own diagnosis has one of the codes asked for: the record's id and
its exact codes. A broader or narrower code, or one whose relation the source does not state, is
another disease here, unless it is what was asked for. The rules are those of related material:
a platform answers who may receive its cases, from its own active ones whose consent is given, under
names made for the asker. An answer has public codes and names only, nothing of the record.
"""

from collections.abc import Mapping
from typing import Final

from cluster.case import codes as case_codes
from cluster.contracts.disease import DiseaseAnswer
from cluster.contracts.related import (
    WHY_SAME_DISEASE,
    DiseaseCases,
    DiseaseQuestion,
    NetworkCases,
    RelatedItem,
)
from cluster.diseases import codes as disease_codes
from cluster.errors import NotFound
from cluster.flow.diseases import DiseaseDatabase
from cluster.flow.platform import Platform
from cluster.screening.incidence import KEPT
from cluster.storage import cases as case_rows
from cluster.storage import deliveries, journal

REFUSED: Final = "it has no agreement with the platform that asks"


def answer_and_question(
    database: DiseaseDatabase, query: str, limit: int
) -> tuple[DiseaseAnswer | None, DiseaseQuestion]:
    """Return Y of a disease, and what platforms are asked for its cases with.

    Args:
        database: which has the records.
        query: a code or a name; a code is asked for also where no record has it, words that are
            neither lead to no cases.
        limit: cases of one platform that are named.

    Raises:
        InputError: it names a vocabulary, with a colon, and is no code of it.
        NotFound: no record has this name.
    """
    answer = database.answer(query, words=False)
    if answer is not None:
        return answer, _question(answer, limit)
    code = disease_codes.code_of(query)
    if not code:
        what = f"no disease of {database.card.name} has the name {query[:80]!r}"
        raise NotFound(what, remedy="Look for it with python -m jobs.find_disease, or give a code.")
    return None, DiseaseQuestion(disease_id=code, name="", codes=(code,), limit=limit)


def platforms_to_ask(platform: Platform, question: DiseaseQuestion, by: str) -> tuple[str, ...]:
    """Return who is asked: the platform itself, then those it has an agreement with, by name.

    A question tells others what this platform looks for, so its audit row is durable before.

    Args:
        platform: which asks.
        question: what it asks.
        by: name of the token, or of who runs jobs.
    """
    with platform.ledger.begin() as tx:
        peers = deliveries.agreed_peers(tx)
        if peers:
            asked = [question.disease_id]
            facts = {"questions": 1, "peers": [*peers], "diseases": asked, "by": by}
            journal.append_audit(tx, platform.clock.now(), "disclosure attempted", facts)
    return (platform.platform_id, *peers)


def find_cases(platform: Platform, asker: str, question: DiseaseQuestion) -> DiseaseCases | None:
    """Answer from the platform's own cases that may be shared, the one changed last first.

    Rare is a case whose class passed both screenings of this platform; of the others only the
    number is told. What another platform is told, codes and numbers, is in the audit chain before
    it is.

    Returns:
        None for a platform that may not receive cases from here.
    """
    with platform.ledger.begin() as tx:
        peer = deliveries.get_peer(tx, asker)
        is_home = asker == platform.platform_id
        if not (is_home or (peer and peer.linked and peer.agreed)):
            return None
        code_by_id = {
            given: code
            for given in filter(None, case_rows.disease_labels(tx, platform.platform_id))
            if (code := _public_code(given)) in question.codes
        }
        found = case_rows.shareable_of(tx, platform.platform_id, [*code_by_id])
        classes = case_rows.get_classes(tx) if found else {}
        kept = {i for i in code_by_id if i in classes and classes[i]["reason"] == KEPT}
        rare = [(case_id, code_by_id[given]) for case_id, given in found if given in kept]
        shown = rare[: question.limit]
        if not is_home:
            facts = {
                "peer": asker,
                "diseases": [question.disease_id],
                "codes": sorted({code_by_id[given] for _, given in found}),
                "cases": len(shown),
                "rare": len(rare),
                "others": len(found) - len(rare),
            }
            journal.append_audit(tx, platform.clock.now(), "disclosure attempted", facts)
    return DiseaseCases(
        items=tuple(_item(platform, asker, question, *case) for case in shown),
        rare=len(rare),
        others=len(found) - len(rare),
    )


def cases_by_platform(
    question: DiseaseQuestion,
    answers: Mapping[str, DiseaseCases | None],
    unanswered: Mapping[str, str],
) -> NetworkCases:
    """Make one answer of the platforms'; one that refused is named beside those that failed.

    Args:
        question: what was asked.
        answers: by platform, in the order in which they are shown.
        unanswered: why there is no answer, by platform.
    """
    refused = {name: REFUSED for name, one in answers.items() if one is None}
    return NetworkCases(
        question=question,
        found={name: one for name, one in answers.items() if one is not None},
        unanswered=dict(sorted((refused | dict(unanswered)).items())),
    )


def _question(answer: DiseaseAnswer, limit: int) -> DiseaseQuestion:
    """Ask for the record's codes and the asked one; for that alone where the record is another."""
    is_asked = answer.match.relation in ("exact", "unstated")
    exact = [code.code for code in answer.codes if code.relation == "exact"]
    asked = [answer.match.matched] if answer.match.how == "code" else []
    codes = [answer.disease_id, *exact, *asked] if is_asked else asked
    return DiseaseQuestion(
        disease_id=answer.disease_id if is_asked else answer.match.matched,
        name=answer.name if is_asked else "",
        codes=tuple(dict.fromkeys(codes)),
        limit=limit,
    )


def _public_code(given: str) -> str:
    """Return a case's disease as a code of the database; empty where it may not leave as one."""
    return disease_codes.code_of(given) if case_codes.code_of(given) else ""


def _item(
    platform: Platform, asker: str, question: DiseaseQuestion, case_id: str, code: str
) -> RelatedItem:
    return RelatedItem(
        item_id=platform.shared_id(case_id, asker),
        kind="case",
        title=question.name,
        platform=platform.platform_id,
        score=1.0,
        why=WHY_SAME_DISEASE.format(code),
        audience=(asker,),
    )
