"""What must hold of a model's bytes and predictions, whatever is asked of it."""

from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.contracts.trend import Prediction
from cluster.errors import IntegrityError
from cluster.trend.artefact import TrendModel, load
from cluster.trend.fit import FitConfig, Fitting
from cluster.trend.lesson import prepare
from cluster.trend.network import TrendNetworkConfig
from cluster.trend.publish import publish
from tests.unit.trend.access_windows import mixed_windows

ROWS = mixed_windows(100, seed=9)
ASKED = ROWS.slice(0, 60)
CONFIG = FitConfig(
    network=TrendNetworkConfig(width=4, depth=1),
    epochs_max=3,
    epoch_windows_min=100,
    batch_size=64,
    lr=1e-2,
)


@cache
def fitting() -> Fitting:
    made = Fitting(prepare(ROWS), CONFIG)
    for _ in range(3):
        made.run_epoch()
    return made


@cache
def content() -> bytes:
    return publish(fitting(), "digest")[0]


@cache
def model() -> TrendModel:
    return load(content())


@cache
def answers() -> list[Prediction]:
    return model().predict(ASKED)


def test_a_window_alone_is_answered_as_among_others() -> None:
    """A7: each row of a table of several shapes, asked alone, gives the same to the last digit."""
    assert [model().predict(ASKED.slice(row, 1))[0] for row in range(60)] == answers()
    assert len({answer.index for answer in answers()}) > 20


@settings(max_examples=40)
@given(rows=st.lists(st.integers(0, 59), max_size=80))
def test_an_answer_does_not_depend_on_the_other_rows(rows: list[int]) -> None:
    """A7: in any order, selection and repetition each window's answer is the same."""
    assert model().predict(ASKED.take(pa.array(rows, pa.int64()))) == [
        answers()[row] for row in rows
    ]


@settings(max_examples=150)
@given(data=st.data(), change=st.integers(1, 255))
def test_one_changed_byte_is_found_wherever_it_is(data: st.DataObject, change: int) -> None:
    """A6: a damaged model is not loaded, be it in its weights, its names or its white space."""
    head = 8 + int.from_bytes(content()[:8], "little")
    in_head = st.integers(0, head - 1)
    position = data.draw(in_head | st.integers(0, len(content()) - 1))
    damaged = bytearray(content())
    damaged[position] ^= change
    with pytest.raises(IntegrityError):
        load(bytes(damaged))


def test_white_space_in_the_head_is_part_of_a_version() -> None:
    """A6: bytes that would read the same but have another digest are not the same model."""
    head = 8 + int.from_bytes(content()[:8], "little")
    for position, new in ((head, b" "), (head - 1, b"\n"), (head - 1, b"\t")):
        changed = bytearray(content())
        changed[position : position + (new != b" ")] = new
        if new == b" ":  # one more blank, and a head that says so
            changed[:8] = (head - 8 + 1).to_bytes(8, "little")
        with pytest.raises(IntegrityError):
            load(bytes(changed))


@settings(max_examples=60)
@given(data=st.data(), change=st.integers(1, 255))
def test_a_damaged_checkpoint_is_not_gone_on_from(data: st.DataObject, change: int) -> None:
    """B8: a run is not continued from bytes that differ from those put away."""
    damaged = bytearray(fitting().checkpoint())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= change
    with pytest.raises(IntegrityError):
        fitting().resume(bytes(damaged))
