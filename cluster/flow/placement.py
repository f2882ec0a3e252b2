"""Stored cases follow the ontology: another release places every case anew (S340, S400)."""

from typing import Final

from sqlalchemy import Connection

from cluster.case.case import read_case
from cluster.ids import sha256
from cluster.ontology import Ontology
from cluster.storage import cases as case_rows
from cluster.storage import journal

ONTOLOGY: Final = "ontology"
NUMBER_CHARS: Final = 15
"""Hexadecimal digits of a version's number; it fits an integer of the ledger."""


def place_anew(tx: Connection, ontology: Ontology) -> bool:
    """Renew the categories where the cases were placed in another ontology; says whether it did.

    Documents keep the ids that they came with, so a term that an older release did not know counts
    from the first release on that has it.
    """
    version = int(sha256(ontology.version)[:NUMBER_CHARS], 16)
    if journal.applied_seq(tx, ONTOLOGY) == version:
        return False
    renewed = {}
    for row in case_rows.cases_after(tx, 0):
        category = ontology.category(ontology.resolve(read_case(row.document).observed).rows)
        if category != row.category:
            renewed[row.case_id] = category
    case_rows.set_categories(tx, renewed)
    journal.set_applied(tx, ONTOLOGY, version)
    return True
