"""Errors survive a process border and say what, where and what to do."""

import pickle

import pytest

from cluster.errors import CaseInvalid, DazzleError


def tree(root: type[DazzleError]) -> list[type[DazzleError]]:
    return [root, *(below for child in root.__subclasses__() for below in tree(child))]


KINDS = tree(DazzleError)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling(kind: type[DazzleError]) -> None:
    """A13: every error crosses a process with its class and all its fields."""
    error = kind("broken", "file 3", "Mend it.")
    assert str(kind(*error.args)) == str(error)  # Ray rebuilds it from args
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.what, copy.where, copy.remedy) == ("broken", "file 3", "Mend it.")
    assert str(copy) == f"{kind.code}: broken (file 3). Mend it."


def test_codes_are_unique() -> None:
    """A13: a code names one kind of error."""
    codes = [kind.code for kind in KINDS]
    assert len(codes) == len(set(codes)) >= 14


def test_empty_parts_leave_no_trace_in_the_text() -> None:
    """A13: an error without place or remedy has no empty brackets."""
    assert str(CaseInvalid("broken")) == "case_invalid: broken."
