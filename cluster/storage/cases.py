"""Cases, revisions and screened classes in a platform's ledger."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from cluster.case.case import Case
from cluster.contracts.result import ScreeningBasis
from cluster.errors import Conflict
from cluster.storage.tables import cases, classes, recalled, related, revisions, screenings

IDS_AT_ONCE = 10_000
"""Ids in one statement; SQLite takes 32,766 parameters."""


class StoredCase(NamedTuple):
    """A case of the ledger with its newest document."""

    case_id: str
    rev: int
    digest: str
    origin: str
    state: str
    consent: str
    disease_id: str | None
    disease_label: str
    category: str
    rare_feature: float
    seq: int
    round: int
    """Of sharing: how often it was withdrawn."""
    document: str


class Added(NamedTuple):
    """How many cases a write added, revised and left as they were."""

    added: int
    revised: int
    unchanged: int


def put_cases(
    tx: Connection,
    taken: Iterable[tuple[Case, str]],
    *,
    origin: str,
    state: str = "active",
    consent: str = "share",
) -> Added:
    """Store cases with their categories; a known id with another document is a new revision.

    State and consent are those of new cases; known ones keep their own.
    """
    taken = list(taken)
    known = _known(tx, [case.case_id for case, _ in taken])
    seq = last_change(tx)
    fresh: list[dict[str, object]] = []
    documents: list[dict[str, object]] = []
    n_revised = n_unchanged = 0
    for case, category in taken:
        old = known.get(case.case_id)
        if old is not None and old.digest == case.digest:
            n_unchanged += 1
            continue
        if old is not None and old.origin != origin:
            what = f"case {case.case_id} is held from {old.origin}"
            raise Conflict(what, remedy="Send it under another id.")
        seq += 1
        rev = old.rev + 1 if old is not None else 1
        n_revised += old is not None
        disease = case.disease
        fresh.append(
            {
                "case_id": case.case_id,
                "rev": rev,
                "digest": case.digest,
                "origin": origin,
                "state": old.state if old is not None else state,
                "consent": old.consent if old is not None else consent,
                "disease_id": disease.id if disease else None,
                "disease_label": disease.label if disease else "",
                "category": category,
                "rare_feature": old.rare_feature if old is not None else 1.0,
                "seq": seq,
                "round": old.round if old is not None else 0,
            }
        )
        documents.append(
            {
                "case_id": case.case_id,
                "rev": rev,
                "digest": case.digest,
                "document": case.document,
            }
        )
    if fresh:
        write = upsert(cases)
        changed = {name: write.excluded[name] for name in fresh[0] if name != "case_id"}
        tx.execute(write.on_conflict_do_update(index_elements=["case_id"], set_=changed), fresh)
        tx.execute(insert(revisions), documents)
    return Added(len(fresh) - n_revised, n_revised, n_unchanged)


def last_change(tx: Connection) -> int:
    """Return the place of the last change of a case, a removal by recall among them."""
    places = (tx.execute(select(func.max(one.c.seq))).scalar() for one in (cases, recalled))
    return max(place or 0 for place in places)


def _known(tx: Connection, case_ids: Sequence[str]) -> dict[str, Row[Any]]:
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(case_ids), IDS_AT_ONCE):
        ids = case_ids[start : start + IDS_AT_ONCE]
        rows = tx.execute(select(cases).where(cases.c.case_id.in_(ids)))
        found |= {row.case_id: row for row in rows}
    return found


def _stored(*where: Any) -> Any:  # noqa: ANN401 - SQLAlchemy conditions
    newest = (revisions.c.case_id == cases.c.case_id) & (revisions.c.rev == cases.c.rev)
    return select(cases, revisions.c.document).join(revisions, newest).where(*where)


def get_case(tx: Connection, case_id: str) -> StoredCase | None:
    """Return a case by its id."""
    row = tx.execute(_stored(cases.c.case_id == case_id)).one_or_none()
    return StoredCase(*row) if row else None


def get_cases(tx: Connection, case_ids: Sequence[str]) -> dict[str, StoredCase]:
    """Return the cases with these ids."""
    rows = tx.execute(_stored(cases.c.case_id.in_(case_ids)).order_by(cases.c.seq))
    return {row.case_id: StoredCase(*row) for row in rows}


def page_of_cases(tx: Connection, after: str, limit: int) -> list[StoredCase]:
    """Return cases by id, beginning after one."""
    chosen = _stored(cases.c.case_id > after).order_by(cases.c.case_id).limit(limit)
    rows = tx.execute(chosen)
    return [StoredCase(*row) for row in rows]


def cases_after(tx: Connection, seq: int) -> list[StoredCase]:
    """Return the cases that changed after a place in the order of changes."""
    return [
        StoredCase(*row) for row in tx.execute(_stored(cases.c.seq > seq).order_by(cases.c.seq))
    ]


def own_columns(tx: Connection, platform: str) -> pa.Table:
    """Return case_id, disease_id, category and rev of the platform's own active cases."""
    columns = (cases.c.case_id, cases.c.disease_id, cases.c.category, cases.c.rev)
    rows = tx.execute(
        select(*columns)
        .where(cases.c.origin == platform, cases.c.state == "active")
        .order_by(cases.c.case_id)
    ).all()
    types = (pa.string(), pa.string(), pa.string(), pa.int64())
    arrays = [pa.array([row[n] for row in rows], kind) for n, kind in enumerate(types)]
    return pa.table(arrays, names=[column.name for column in columns])


def own_among(tx: Connection, platform: str, case_ids: Sequence[str]) -> list[str]:
    """Return those of some ids that are of the platform's own active cases."""
    found: list[str] = []
    for start in range(0, len(case_ids), IDS_AT_ONCE):
        rows = tx.execute(
            select(cases.c.case_id).where(
                cases.c.case_id.in_(case_ids[start : start + IDS_AT_ONCE]),
                cases.c.origin == platform,
                cases.c.state == "active",
            )
        )
        found += [row.case_id for row in rows]
    return found


def shareable_ids(tx: Connection, platform: str) -> set[str]:
    """Return the ids of the own cases that are active and may be shared."""
    rows = tx.execute(
        select(cases.c.case_id).where(
            cases.c.origin == platform, cases.c.state == "active", cases.c.consent == "share"
        )
    )
    return {row.case_id for row in rows}


def shareable_of(
    tx: Connection, platform: str, disease_ids: Sequence[str]
) -> list[tuple[str, str]]:
    """Return (id, disease id) of the shareable own cases of some diseases, last change first."""
    rows = tx.execute(
        select(cases.c.case_id, cases.c.disease_id)
        .where(
            cases.c.origin == platform,
            cases.c.state == "active",
            cases.c.consent == "share",
            cases.c.disease_id.in_(disease_ids),
        )
        .order_by(cases.c.seq.desc())
    )
    return [(row.case_id, row.disease_id) for row in rows]


def count_cases(tx: Connection, seq: int) -> int:
    """Return the number of cases up to a place in the order of changes."""
    chosen = select(func.count()).where(cases.c.seq <= seq)
    return int(tx.execute(chosen.select_from(cases)).scalar_one())


def disease_labels(tx: Connection, platform: str) -> dict[str, str]:
    """Return the names of the diseases of the platform's own cases, by id."""
    chosen = select(cases.c.disease_id, cases.c.disease_label).where(cases.c.origin == platform)
    return {row.disease_id: row.disease_label for row in tx.execute(chosen.distinct())}


def received_ids(tx: Connection, platform: str) -> list[tuple[str, str]]:
    """Return (origin, id) of the cases that came from other platforms, sorted."""
    rows = tx.execute(
        select(cases.c.origin, cases.c.case_id)
        .where(cases.c.origin != platform)
        .order_by(cases.c.origin, cases.c.case_id)
    )
    return [(row.origin, row.case_id) for row in rows]


def set_rare_features(tx: Connection, values: dict[str, float]) -> None:
    """Store the rare feature of cases (S360)."""
    if values:
        tx.execute(
            update(cases)
            .where(cases.c.case_id == bindparam("key"))
            .values(rare_feature=bindparam("value")),
            [{"key": key, "value": value} for key, value in values.items()],
        )


def set_categories(tx: Connection, values: dict[str, str]) -> None:
    """Store the category of cases (S340)."""
    if values:
        tx.execute(
            update(cases)
            .where(cases.c.case_id == bindparam("key"))
            .values(category=bindparam("value")),
            [{"key": key, "value": value} for key, value in values.items()],
        )


def set_state(tx: Connection, case_id: str, *, state: str, consent: str) -> None:
    """Change whether a case is active and may be shared."""
    tx.execute(update(cases).where(cases.c.case_id == case_id).values(state=state, consent=consent))


def next_round(tx: Connection, case_id: str) -> int:
    """Begin a case's next round of sharing; returns its number."""
    row = cases.c.case_id == case_id
    tx.execute(update(cases).where(row).values(round=cases.c.round + 1))
    return int(tx.execute(select(cases.c.round).where(row)).scalar_one())


def raise_round(tx: Connection, case_id: str, round_: int) -> None:
    """Note the last round in which a received case, or what stands beside it, came.

    Related items of earlier rounds go.
    """
    older = (cases.c.case_id == case_id) & (cases.c.round < round_)
    if tx.execute(update(cases).where(older).values(round=round_)).rowcount:
        tx.execute(delete(related).where(related.c.case_id == case_id))


def drop_history(tx: Connection, case_id: str) -> None:
    """Erase all revisions of a case but the newest."""
    newest = select(cases.c.rev).where(cases.c.case_id == case_id).scalar_subquery()
    earlier = (revisions.c.case_id == case_id) & (revisions.c.rev < newest)
    tx.execute(delete(revisions).where(earlier))


def recalled_round(tx: Connection, origin: str, case_id: str) -> int:
    """Return the round before which a platform has taken a case back; 0 where it has not."""
    chosen = select(recalled.c.round)
    chosen = chosen.where(recalled.c.origin == origin, recalled.c.case_id == case_id)
    return int(tx.execute(chosen).scalar() or 0)


def is_recalled(tx: Connection, case_id: str) -> bool:
    """Say whether a case that was received has been taken back."""
    chosen = select(recalled.c.round).where(recalled.c.case_id == case_id)
    return tx.execute(chosen).first() is not None


def put_recall(tx: Connection, origin: str, case_id: str, round_: int, *, at: float) -> None:
    """Erase what was received of a case in earlier rounds, and note that it was taken back."""
    seq = last_change(tx) + 1  # before the case goes, which may be the last that changed
    earlier = (cases.c.case_id == case_id) & (cases.c.origin == origin) & (cases.c.round < round_)
    if tx.execute(delete(cases).where(earlier)).rowcount:
        tx.execute(delete(revisions).where(revisions.c.case_id == case_id))
    if get_case(tx, case_id) is None:  # what stands beside it may have come without it
        tx.execute(delete(related).where(related.c.case_id == case_id))
    row = {"origin": origin, "case_id": case_id, "round": round_, "seq": seq, "at": at}
    write = upsert(recalled).values(row)
    changed = {name: write.excluded[name] for name in ("round", "seq", "at")}
    newer = recalled.c.round < round_
    tx.execute(
        write.on_conflict_do_update(index_elements=["origin", "case_id"], set_=changed, where=newer)
    )


def recalled_after(tx: Connection, seq: int) -> list[str]:
    """Return the cases taken back after a place in the order of changes that are not here again."""
    held = select(cases.c.case_id)
    chosen = select(recalled.c.case_id).where(recalled.c.seq > seq, recalled.c.case_id.not_in(held))
    return [row.case_id for row in tx.execute(chosen)]


def recalled_since(tx: Connection, instant: float) -> set[tuple[str, str]]:
    """Return (origin, case) of what was taken back at an instant or later."""
    chosen = select(recalled.c.origin, recalled.c.case_id).where(recalled.c.at >= instant)
    return {(row.origin, row.case_id) for row in tx.execute(chosen)}


def put_classes(tx: Connection, screened: pa.Table) -> None:
    """Replace the screened classes."""
    tx.execute(delete(classes))
    if screened.num_rows:
        tx.execute(insert(classes), screened.to_pylist())


def get_classes(tx: Connection) -> dict[str, dict[str, Any]]:
    """Return the screened classes by id, lowest incidence first."""
    middle = func.coalesce(classes.c.incidence_median, classes.c.incidence)
    rows = tx.execute(select(classes).order_by(middle, classes.c.class_id))
    return {row.class_id: dict(row._mapping) for row in rows}


def put_basis(tx: Connection, platform: str, basis: ScreeningBasis) -> None:
    """Replace what the platform's screening was made with."""
    written = basis.model_dump_json()
    write = upsert(screenings).values(platform_id=platform, basis=written)
    tx.execute(write.on_conflict_do_update(index_elements=["platform_id"], set_={"basis": written}))


def get_basis(tx: Connection, platform: str) -> ScreeningBasis | None:
    """Return what the platform's screening was made with."""
    chosen = select(screenings.c.basis).where(screenings.c.platform_id == platform)
    found = tx.execute(chosen).scalar()
    return ScreeningBasis.model_validate_json(found) if found else None
