"""From a finished run to a sealed model with its card."""

import hashlib
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from cluster.contracts.trend import TrendCard
from cluster.errors import WindowInvalid
from cluster.ids import sha256
from cluster.learning.chance import reproducible
from cluster.trend.artefact import linear_outputs, load, member_outputs
from cluster.trend.exam import Exam
from cluster.trend.fit import FitConfig, start_network
from cluster.trend.lesson import prepare
from cluster.trend.metrics import interval
from cluster.trend.network import TrendNetwork, TrendNetworkConfig, Y
from cluster.trend.publish import examine, fit, kept_apart, shape_cards, weigh_correction
from tests.unit.trend.access_windows import SHAPES, access_windows, mixed_windows, with_column

ROWS = mixed_windows(200, seed=5)
CONFIG = FitConfig(
    network=TrendNetworkConfig(width=8, depth=1),
    epochs_max=4,
    epoch_windows_min=200,
    batch_size=64,
    lr=1e-2,
)


@pytest.fixture(scope="module")
def fitted() -> tuple[bytes, TrendCard]:
    return fit(ROWS, CONFIG, "digest")


def noisy_start(size: float) -> tuple[TrendNetwork, Exam]:
    """A network with a correction that was never learned, and windows to weigh it by."""
    lesson = prepare(access_windows(400, seed=6))
    with reproducible(2):
        network = start_network(lesson, CONFIG.network)
        with torch.no_grad():
            network.heads.add_(size * torch.randn_like(network.heads))
    return network, lesson.exam


def test_the_same_windows_and_seed_give_the_same_bytes(fitted: tuple[bytes, TrendCard]) -> None:
    """A6: a run can be repeated, whatever torch's state was before; another seed differs."""
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert fit(ROWS, CONFIG, "digest") == fitted
    assert torch.equal(torch.get_rng_state(), state)
    assert fit(ROWS, replace(CONFIG, seed=4), "digest")[0] != fitted[0]


def test_the_card_tells_what_was_trained_on_what(fitted: tuple[bytes, TrendCard]) -> None:
    """A6: version, windows, seed, course of the run, and a part for every shape of window."""
    content, card = fitted
    assert (card.version, card.dataset_digest, card.role) == (sha256(content), "digest", "first")
    assert (card.seed, card.epochs, card.n_train) == (0, len(card.learning_curve), 600)
    assert [(part.n_obs, part.n_fut) for part in card.shapes] == list(SHAPES)
    assert [part.name for part in card.shapes] == ["months", "north", "places"]
    for part in card.shapes:
        assert part.n_windows == part.held_out.n == 200
        assert part.n_items == 150
        assert set(part.baselines) == {"persistence", "szabo_huberman", "linear"}
        assert {each.n for each in part.baselines.values()} == {200}
        assert part.baselines["persistence"].brier is None
        assert 0 <= part.correction_share <= 1
        assert sum(tenth.n for tenth in part.hot_reliability) == 200
    assert TrendCard.model_validate_json(card.model_dump_json()) == card


def member_of(item: str) -> int:
    digest = hashlib.sha256(f"fold:{item}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 10 // 2


def test_the_figures_are_of_the_member_that_never_met_the_item(
    fitted: tuple[bytes, TrendCard],
) -> None:
    """A6: each window is scored by the member that keeps its item apart, computed anew."""
    content, card = fitted
    model = load(content)
    exam = examine(model, ROWS)
    outputs_MWO = member_outputs(model.network, exam.features, exam.place_W)
    member_W = [member_of(item) for item in ROWS["item_id"].to_pylist()]
    y_W = np.maximum(outputs_MWO[member_W, range(600), Y], 0.0)
    error_W = (y_W - exam.labels.y_W) ** 2
    for place, part in enumerate(card.shapes):
        rows = exam.place_W == place
        assert part.held_out.msle == pytest.approx(error_W[rows].mean(), rel=1e-9)
        items = ROWS["item_id"].filter(pa.array(rows))
        assert part.held_out.msle_interval == pytest.approx(interval(items, error_W[rows]))
        assert part.better_than_linear is not None
        low, high = part.better_than_linear
        assert low <= part.baselines["linear"].msle - part.held_out.msle <= high
    assert shape_cards(model, exam) == card.shapes


def test_chances_on_the_card_are_those_that_came(fitted: tuple[bytes, TrendCard]) -> None:
    """A6: over all windows of a shape the stated chance of hot is the share that was hot."""
    for part in fitted[1].shapes:
        stated = sum(tenth.n * tenth.stated for tenth in part.hot_reliability) / part.n_windows
        found = sum(tenth.n * tenth.found for tenth in part.hot_reliability) / part.n_windows
        assert found == pytest.approx(part.held_out.base_rate_hot)
        assert stated == pytest.approx(found, abs=0.02)


def test_a_correction_of_noise_is_left_out() -> None:
    """A6: where the layers learned nothing that holds, the linear model stands alone."""
    network, exam = noisy_start(size=20.0)
    noisy = error_of(network, exam)
    weigh_correction(network, exam, range(1))
    assert float(network.share_S[0]) < 0.01
    assert error_of(network, exam) < noisy / 10
    linear_MW = linear_outputs(network, exam.features, exam.place_W)
    linear_W = linear_MW[exam.folds.member_W, np.arange(len(exam))]
    assert np.array_equal(exam.kept_apart(linear_MW), linear_W)
    assert error_of(network, exam) <= float(np.mean((linear_W - exam.labels.y_W) ** 2))


def test_a_correction_that_is_all_there_is_counts_wholly() -> None:
    """A6: where the linear part says nothing and the layers are right, the share is 1."""
    network, exam = noisy_start(size=0.5)
    with torch.no_grad():
        network.slope.zero_()
        network.level.zero_()
    right_W = kept_apart(network, exam)[:, Y]
    for part, share in ((1.0, 1.0), (2.0, 1.0), (0.25, 0.25), (-1.0, 0.0)):
        network.share_S.fill_(1.0)
        labels = replace(exam.labels, y_W=part * right_W)
        weigh_correction(network, replace(exam, labels=labels), [0])
        assert float(network.share_S[0]) == pytest.approx(share, abs=1e-5)


def error_of(network: TrendNetwork, exam: Exam) -> float:
    return float(np.mean((kept_apart(network, exam)[:, Y] - exam.labels.y_W) ** 2))


def test_the_model_beats_simple_forecasts_where_there_is_more_to_know() -> None:
    """A6: on SIMULATED windows that follow propagation, the card says that the model is better."""
    rows = access_windows(400, seed=1)
    _, card = fit(rows, replace(CONFIG, epochs_max=8), "digest")
    (part,) = card.shapes
    assert part.held_out.msle < part.baselines["szabo_huberman"].msle / 2
    assert part.held_out.msle < part.baselines["persistence"].msle / 2
    assert part.held_out.auroc_hot is not None
    assert part.held_out.auroc_hot > 0.9


def test_windows_of_another_shape_are_not_examined(fitted: tuple[bytes, TrendCard]) -> None:
    """A6: a model is scored only on windows that it was trained for."""
    with pytest.raises(WindowInvalid, match="trained for other windows"):
        examine(load(fitted[0]), access_windows(5, seed=1, shape=SHAPES[0]._replace(n_fut=4)))
    longer = with_column(access_windows(5, seed=1), "bin_days", [9.0] * 5)
    with pytest.raises(WindowInvalid, match="trained for other windows"):
        examine(load(fitted[0]), longer)


def test_a_model_does_not_look_at_what_was_left_out() -> None:
    """A6: channels are configuration: without usages, usages change no forecast."""
    rows = access_windows(200, seed=7)
    content, _ = fit(rows, replace(CONFIG, left_out=("usages", "places")), "digest")
    model = load(content)
    assert model.profile.left_out == ("usages", "places")
    told = with_column(rows, "usages", [[99.0] * 8] * 200)
    forecast = [model.forecast(some, model.features(some)).y_W for some in (rows, told)]
    assert np.array_equal(*forecast)
    clicked = with_column(rows, "clicks", [[99.0] * 8] * 200)
    assert not np.allclose(model.forecast(clicked, model.features(clicked)).y_W, forecast[0])
