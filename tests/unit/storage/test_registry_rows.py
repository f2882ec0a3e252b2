"""Models and data sets with their lineage, channels, and kept predictions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import a_decision
from sqlalchemy import Connection, MetaData

from cluster.contracts.trend import TrendCard
from cluster.models.cards import model_of
from cluster.storage import tables
from cluster.storage.ledger import Ledger
from cluster.storage.predictions import count_predictions, put_predictions, unlike_kept
from cluster.storage.registry import Artefact, get_artefacts, get_channel, put_artefact


def opened(path: Path, schema: MetaData) -> Iterator[Connection]:
    ledger = Ledger(path, schema)
    with ledger.begin() as tx:
        yield tx
    ledger.close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Connection]:
    yield from opened(tmp_path / "registry.sqlite", tables.REGISTRY)


@pytest.fixture
def trend(tmp_path: Path) -> Iterator[Connection]:
    yield from opened(tmp_path / "trend.sqlite", tables.TREND)


def test_a_channel_points_to_the_newest(registry: Connection) -> None:
    """A9: publishing moves the channel, going back moves it back, other channels stay."""
    first, second = Artefact("d1", "model", None, "{}"), Artefact("d2", "model", "d1", "{}")
    assert get_channel(registry, "trend.first") is None
    put_artefact(registry, first, "trend.first")
    put_artefact(registry, first, "trend.second")
    put_artefact(registry, second, "trend.second")
    assert get_channel(registry, "trend.first") == first
    assert get_channel(registry, "trend.second") == second
    put_artefact(registry, first, "trend.second")
    assert get_channel(registry, "trend.second") == first


def test_an_artefact_is_registered_once_and_listed_oldest_first(registry: Connection) -> None:
    """C11: the first card of a digest stands; kinds are listed apart."""
    one, two = Artefact("d1", "model", None, "one"), Artefact("d2", "model", "d1", "two")
    for artefact in (two, one, Artefact("d3", "data", None, ""), one._replace(card="forged"), two):
        put_artefact(registry, artefact)
    assert get_artefacts(registry, "model") == [two, one]
    assert get_artefacts(registry, "none") == []


def test_a_prediction_is_kept_once_for_a_model_and_its_inputs(trend: Connection) -> None:
    """A7: the same question to the same model is one row; to another model another one."""
    one = a_decision().first
    put_predictions(trend, [one, one])
    put_predictions(trend, [one, one.model_copy(update={"model_version": "m2"})])
    put_predictions(trend, [])
    assert count_predictions(trend) == 2


def test_a_prediction_that_was_not_kept_as_told_is_found(trend: Connection) -> None:
    """A10: another index for the same inputs, or inputs that were never asked, are named."""
    kept = a_decision().first
    changed = kept.model_copy(update={"index": 0.99})
    unknown = kept.model_copy(update={"inputs_digest": "00"})
    put_predictions(trend, [kept])
    assert unlike_kept(trend, [kept]) == []
    told = [kept, changed, unknown]
    assert unlike_kept(trend, told) == [("m1", "ff"), ("m1", "00")]


def card(version: str, dataset: str = "set", seed: int = 1, parent: str | None = None) -> TrendCard:
    return TrendCard(
        version=version,
        role="second" if parent else "first",
        parent=parent,
        dataset_digest=dataset,
        seed=seed,
        epochs=1,
        converged=True,
        n_train=1,
        shapes=(),
        learning_curve=[],
    )


def test_a_model_is_found_by_what_it_was_made_of() -> None:
    """A9: data, seed and parent all count; of equal ones the newest answers."""
    cards = [
        card("v1"),
        card("v2"),
        card("v3", seed=2),
        card("v4", "other"),
        card("v5", parent="v1"),
    ]
    found = [
        model_of(cards, "set", 1, None, ""),
        model_of(cards, "set", 2, None, ""),
        model_of(cards, "other", 1, None, ""),
        model_of(cards, "set", 1, "v1", ""),
        model_of(cards, "set", 3, None, ""),
    ]
    assert [one and one.version for one in found] == ["v2", "v3", "v4", "v5", None]


def test_a_model_of_another_configuration_is_another_model() -> None:
    """A6 A9: more epochs, or another bound of the update, is not answered by an older model."""
    made = card("v1").model_copy(update={"config": "ten epochs"})
    assert model_of([made], "set", 1, None, "ten epochs") == made
    assert model_of([made], "set", 1, None, "more") is None


def test_a_card_of_an_earlier_release_is_read() -> None:
    """B3: a registry that an earlier release wrote still lists its models."""
    written = (
        '{"version":"v1","role":"first","parent":null,"dataset_digest":"set","seed":1,"epochs":9,'
        '"converged":true,"hot_threshold_log2":3.0,"period_days":[7.0,28.0],"n_train":1,'
        '"held_out":{"n":1,"msle":0.5},"baselines":{},"config":"","learning_curve":[]}'
    )
    kept = TrendCard.model_validate_json(written)
    assert (kept.version, kept.shapes) == ("v1", ())
