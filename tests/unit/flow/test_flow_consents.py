"""Consent and the audit chain."""

from pathlib import Path

import pytest

from cluster.errors import NotFound
from cluster.flow import consents
from tests.unit.flow.world import a_pair, audit_actions, held


def test_a_held_case_does_not_leave_any_more(tmp_path: Path) -> None:
    """A11 B9: consent that ends between decision and delivery holds the delivery back."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    consents.set_consent(world.platforms["north"], "a", state="active", consent="private")
    world.deliver()
    assert [s.reason for s in world.statuses("north")] == ["consent_missing"]
    assert held(world.platforms["south"]) == []
    assert "consent" in audit_actions(world.platforms["north"])
    assert consents.broken_audit_row(world.platforms["north"]) is None


def test_only_own_cases_have_a_consent_here(tmp_path: Path) -> None:
    """B9: an unknown case, and one that came from elsewhere, is not found."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    world.deliver()
    ((_, shared_id),) = held(world.platforms["south"])
    for case_id in ("nobody", shared_id):
        with pytest.raises(NotFound):
            consents.set_consent(
                world.platforms["south"], case_id, state="active", consent="private"
            )
