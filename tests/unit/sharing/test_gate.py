"""The gate: everything must be true, and the first thing that is not is named."""

from dataclasses import fields
from itertools import product

import pytest

from cluster.sharing.gate import REASONS, GateFacts, denial

NAMES = [field.name for field in fields(GateFacts)]


def test_all_true_opens() -> None:
    """A11: where everything is true the case may leave."""
    assert denial(GateFacts(**dict.fromkeys(NAMES, True))) == ""


@pytest.mark.parametrize("name", NAMES)
def test_each_fact_alone_closes_the_gate(name: str) -> None:
    """A11: one fact that is not true is enough, and it is the one that is named."""
    facts = GateFacts(**(dict.fromkeys(NAMES, True) | {name: False}))
    assert denial(facts) == REASONS[name] != ""


def test_every_fact_has_its_own_reason() -> None:
    """A11: no fact was forgotten, and no two reasons are alike."""
    assert set(REASONS) == set(NAMES)
    assert len(set(REASONS.values())) == len(NAMES)


def test_any_combination_names_the_first_false_fact() -> None:
    """A11: of all 128 combinations only one opens; the others name the first false fact."""
    opened = 0
    for values in product([True, False], repeat=len(NAMES)):
        found = denial(GateFacts(*values))
        opened += not found
        if found:
            assert found == REASONS[NAMES[values.index(False)]]
    assert opened == 1
