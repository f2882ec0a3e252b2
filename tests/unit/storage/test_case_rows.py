"""Cases in the ledger: revisions, consent, and whose they are."""

from contextlib import suppress

import pyarrow as pa
from builders import a_case

from cluster.case.case import Case
from cluster.errors import Conflict
from cluster.screening.incidence import CLASSES, screen
from cluster.settings import load_settings
from cluster.storage import cases as rows
from cluster.storage.cases import Added, StoredCase
from cluster.storage.ledger import Ledger


def put(ledger: Ledger, *cases: Case, origin: str = "north", category: str = "Heart") -> Added:
    with ledger.begin() as tx:
        return rows.put_cases(tx, [(case, category) for case in cases], origin=origin)


def get(ledger: Ledger, case_id: str) -> StoredCase:
    with ledger.begin() as tx:
        found = rows.get_case(tx, case_id)
    assert found is not None
    return found


def test_a_case_comes_back_as_it_went_in(ledger: Ledger) -> None:
    """A4: document, digest, disease and category are kept; a new case is active and shareable."""
    case = a_case("a", disease="OMIM:7")
    assert put(ledger, case) == Added(1, 0, 0)
    found = get(ledger, "a")
    assert (found.document, found.digest) == (case.document, case.digest)
    assert (found.disease_id, found.disease_label) == ("OMIM:7", "Disease OMIM:7")
    assert (found.rev, found.origin, found.state, found.consent) == (1, "north", "active", "share")
    assert (found.category, found.rare_feature) == ("Heart", 1.0)
    with ledger.begin() as tx:
        assert rows.get_case(tx, "nobody") is None


def test_the_same_again_changes_nothing_and_another_document_is_a_revision(
    ledger: Ledger,
) -> None:
    """A4 B3: a repeat is not stored twice; a change raises the revision and keeps the old one."""
    first, second = a_case("a"), a_case("a", observed=("HP:0001626",))
    put(ledger, first)
    assert put(ledger, first) == Added(0, 0, 1)
    assert get(ledger, "a").seq == 1
    assert put(ledger, second, a_case("b")) == Added(1, 1, 0)
    assert (get(ledger, "a").rev, get(ledger, "a").document) == (2, second.document)
    with ledger.begin() as tx:
        kept = tx.exec_driver_sql("SELECT rev, document FROM revisions WHERE case_id='a'").all()
    assert [tuple(row) for row in kept] == [(1, first.document), (2, second.document)]
    assert put(ledger, first) == Added(0, 1, 0)
    assert get(ledger, "a").rev == 3


def test_changes_have_an_order_to_follow(ledger: Ledger) -> None:
    """A4: a projection sees each change once, a revised case again, and nothing unchanged."""
    put(ledger, a_case("a"), a_case("b"))
    with ledger.begin() as tx:
        assert [row.case_id for row in rows.cases_after(tx, 0)] == ["a", "b"]
    put(ledger, a_case("a", disease="OMIM:2"), a_case("b"), a_case("c"))
    with ledger.begin() as tx:
        assert [(row.case_id, row.seq) for row in rows.cases_after(tx, 2)] == [("a", 3), ("c", 4)]
        assert rows.cases_after(tx, 4) == []


def test_a_revision_keeps_what_the_document_does_not_say(ledger: Ledger) -> None:
    """A3 A11: heat, withdrawal and refused consent outlive a new document."""
    put(ledger, a_case("a"), a_case("b"))
    with ledger.begin() as tx:
        rows.set_rare_features(tx, {"a": 2.5, "nobody": 9.0})
        rows.set_state(tx, "a", state="withdrawn", consent="private")
    put(ledger, a_case("a", disease="OMIM:2"))
    assert get(ledger, "a").rare_feature == 2.5
    assert (get(ledger, "a").state, get(ledger, "a").consent) == ("withdrawn", "private")
    assert (get(ledger, "b").state, get(ledger, "b").rare_feature) == ("active", 1.0)


def test_a_case_from_elsewhere_never_replaces_an_own_one(ledger: Ledger) -> None:
    """A11 B9: a peer that sends a case under an own case's id does not overwrite it."""
    own = a_case("a")
    put(ledger, own)
    with suppress(Conflict):
        put(ledger, a_case("a", disease="OMIM:666"), origin="south")
    assert (get(ledger, "a").origin, get(ledger, "a").document) == ("north", own.document)


def test_own_columns_hold_own_active_cases_only(ledger: Ledger) -> None:
    """A2: what is screened is the platform's own, active, sorted, and typed when empty."""
    with ledger.begin() as tx:
        empty = rows.own_columns(tx, "north")
    assert empty.num_rows == 0
    assert empty.schema.types == [pa.string(), pa.string(), pa.string(), pa.int64()]
    put(ledger, a_case("b", disease=None), a_case("a"), a_case("w"))
    put(ledger, a_case("received"), origin="south")
    with ledger.begin() as tx:
        rows.set_state(tx, "w", state="withdrawn", consent="share")
        own = rows.own_columns(tx, "north")
        assert rows.received_ids(tx, "north") == [("south", "received")]
    assert own.to_pylist() == [
        {"case_id": "a", "disease_id": "OMIM:100", "category": "Heart", "rev": 1},
        {"case_id": "b", "disease_id": None, "category": "Heart", "rev": 1},
    ]


def test_cases_are_found_by_many_ids(ledger: Ledger) -> None:
    """A4: ids that are not there are left out; a quote in an id is only a character."""
    put(ledger, a_case("a"), a_case("it's"), a_case("c"))
    with ledger.begin() as tx:
        assert set(rows.get_cases(tx, ["a", "it's", "nobody"])) == {"a", "it's"}
        assert rows.get_cases(tx, []) == {}


def test_classes_are_replaced_as_a_whole(ledger: Ledger) -> None:
    """A2: the stored classes are those of the last screening, lowest incidence first."""
    for ids in (["x", "x", "y"], ["z", "y", "y"], []):
        screened = screen(pa.array(ids, pa.string()), 1e6, load_settings())
        with ledger.begin() as tx:
            rows.put_classes(tx, screened.classes)
            stored = rows.get_classes(tx)
        assert list(stored) == screened.classes["class_id"].to_pylist()
        assert [list(row) for row in stored.values()] == [CLASSES.names] * len(stored)
        for row, kept in zip(screened.classes.to_pylist(), stored.values(), strict=True):
            assert kept == row
