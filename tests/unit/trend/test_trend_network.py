"""The network before and beside training: a linear model with room for what it misses."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from cluster.errors import SettingInvalid
from cluster.learning.chance import reproducible
from cluster.trend.artefact import linear_outputs, member_outputs
from cluster.trend.exam import Exam
from cluster.trend.features import FEATURE_NAMES
from cluster.trend.fit import start_network
from cluster.trend.folds import N_MEMBERS
from cluster.trend.lesson import prepare
from cluster.trend.network import (
    ERROR_MIN_LOG2,
    TrendNetwork,
    TrendNetworkConfig,
    Y,
    grown,
    limit_gradients,
    window_loss,
)
from cluster.trend.windows import Floats
from tests.unit.trend.access_windows import SHAPES, access_windows, mixed_windows, with_column

SMALL = TrendNetworkConfig(width=8, depth=2)
LESSON = prepare(mixed_windows(200, seed=1))
EXAM = LESSON.exam


def started() -> TrendNetwork:
    with reproducible(0):
        return start_network(LESSON, SMALL)


def unsettled(network: TrendNetwork) -> TrendNetwork:
    """The network with weights drawn at random, as if it had learned something."""
    with reproducible(1), torch.no_grad():
        for name, weights in network.named_parameters():
            if name not in ("slope", "level"):
                weights.add_(0.1 * torch.randn_like(weights))
    return network


def outputs(network: TrendNetwork, exam: Exam = EXAM) -> Floats:
    return member_outputs(network, exam.features, exam.place_W)


def test_the_network_starts_as_a_ridge_regression_of_each_shape_and_member() -> None:
    """A6: before training a member is the ridge regression of the windows it learns from alone."""
    y_MW = outputs(started())[..., Y]
    assert np.array_equal(y_MW, linear_outputs(started(), EXAM.features, EXAM.place_W))
    for place in range(3):
        rows = EXAM.place_W == place
        inputs_RF, y_R = EXAM.features.inputs_WF[rows].astype(float), EXAM.labels.y_W[rows]
        with np.errstate(invalid="ignore"):
            told = np.isfinite(inputs_RF)
            mean_F = np.nansum(inputs_RF, axis=0) / told.sum(axis=0)
            deviation_F = np.sqrt(np.where(told, inputs_RF - mean_F, 0.0).__pow__(2).mean(axis=0))
        varies_F = deviation_F > 1e-4
        standard_RF = np.nan_to_num((inputs_RF - mean_F)[:, varies_F] / deviation_F[varies_F])
        for member in range(N_MEMBERS):
            known = EXAM.folds.training_MW[member, rows]
            ridge = Ridge(alpha=30.0).fit(standard_RF[known], y_R[known])
            assert y_MW[member, rows] == pytest.approx(ridge.predict(standard_RF), abs=1e-4)
            error = np.sqrt(np.mean((ridge.predict(standard_RF[known]) - y_R[known]) ** 2))
            found = float(started().error_MS[member, place])
            assert found == pytest.approx(max(error, ERROR_MIN_LOG2), rel=1e-3)


def test_the_start_does_not_depend_on_what_came_after_items_kept_apart() -> None:
    """A6: a member's regression and its error are blind to its validation and kept-apart items."""
    for member in (0, 3):
        y_W = np.where(EXAM.folds.training_MW[member], EXAM.labels.y_W, 40.0)
        network, blind = started(), started()
        for place in range(3):
            rows = np.flatnonzero(EXAM.place_W == place)
            inputs_RF = torch.from_numpy(EXAM.features.inputs_WF[rows])
            blind.learn_shape(
                place, inputs_RF, torch.tensor(y_W[rows]), EXAM.folds.training_MW[:, rows]
            )
        theirs_by_name = blind.state_dict()
        for name, ours in network.state_dict().items():
            theirs = theirs_by_name[name]
            if ours.shape[0] == N_MEMBERS:
                assert torch.equal(ours[member], theirs[member])
        assert not torch.equal(network.slope, blind.slope)


def test_what_is_not_told_is_read_as_the_average_of_its_shape() -> None:
    """A6: NaN moves a forecast exactly as the mean of the shape's windows does."""
    network = unsettled(started()).double().eval()
    inputs = torch.from_numpy(EXAM.features.inputs_WF.astype(float))
    place = torch.from_numpy(EXAM.place_W)
    column = FEATURE_NAMES.index("log_age_days")
    unknown, average = inputs.clone(), inputs.clone()
    unknown[:, column] = torch.nan
    average[:, column] = network.mean_SF[place, column]
    with torch.no_grad():
        assert torch.equal(network(unknown, place), network(average, place))
        assert not torch.equal(network(inputs, place), network(average, place))


def test_a_month_that_was_not_learned_from_is_read_as_the_average_month() -> None:
    """A6: forecasts do not run away in a season of which there was no window."""
    months = np.random.default_rng(0).integers(0, 5, 300) * 30 * 86_400.0  # January to May
    lesson = prepare(with_column(access_windows(300, seed=3), "cut", list(months)))
    with reproducible(0):
        network = unsettled(start_network(lesson, SMALL)).double().eval()
    inputs = torch.from_numpy(lesson.exam.features.inputs_WF.astype(float))
    place = torch.from_numpy(lesson.exam.place_W)
    first = FEATURE_NAMES.index("is_month_01")
    autumn, unknown = inputs.clone(), inputs.clone()
    autumn[:, first : first + 12] = torch.eye(12).double()[9]
    unknown[:, first : first + 12] = torch.nan
    with torch.no_grad():
        assert torch.equal(network(autumn, place), network(unknown, place))
        assert not torch.equal(network(inputs, place), network(unknown, place))


def test_an_outlier_moves_the_layers_no_further_than_the_limit() -> None:
    """A6: beyond six deviations only the linear part still follows an input."""
    network = unsettled(started()).double().eval()
    inputs = torch.from_numpy(EXAM.features.inputs_WF[:50].astype(float))
    place = torch.from_numpy(EXAM.place_W[:50])
    column = FEATURE_NAMES.index("log_max")
    inverse = network.inverse_scale_SF[place, column]
    outputs = []
    for deviations in (6.0, 7.0, 600.0):
        far = inputs.clone()
        far[:, column] = network.mean_SF[place, column] + deviations / inverse
        with torch.no_grad():
            network.label_slope.zero_()
            y_MBO = network(far, place)
            y_MBO[..., Y] -= network.linear(far, place)
        outputs.append(y_MBO)
    assert torch.allclose(outputs[0], outputs[1], atol=1e-9)
    assert torch.allclose(outputs[0], outputs[2], atol=1e-9)


def test_opening_an_input_changes_no_forecast_of_windows_known_before() -> None:
    """A9: propagation indexes, and lengths of bins that never varied, can join a model."""
    rows = access_windows(300, seed=3)
    unaware = prepare(with_column(rows, "propagation", [None] * 300))
    with reproducible(0):
        network = unsettled(start_network(unaware, SMALL))
    longer = with_column(rows, "bin_days", list(np.linspace(1.75, 2.1, 300)))
    before, aware = outputs(network, unaware.exam), prepare(longer).exam
    closed = outputs(network, aware)
    assert np.array_equal(before, closed)  # it reads no propagation
    network.open_inputs(0, torch.from_numpy(aware.features.inputs_WF))
    assert np.array_equal(outputs(network, unaware.exam), before)
    assert np.array_equal(outputs(network, aware), closed)  # nothing is known of it yet
    exams = (aware, unaware.exam)
    told, untold = (linear_outputs(network, exam.features, exam.place_W) for exam in exams)
    assert np.array_equal(told, untold)  # what was never learned has no slope yet
    with torch.no_grad():  # what is learned of them later does not move the others either
        for name in ("propagation", "log_period_days", "log_horizon_days"):
            network.slope[..., FEATURE_NAMES.index(name)] += 1.0
            network.entry[:, FEATURE_NAMES.index(name)] += 1.0
    assert np.array_equal(outputs(network, unaware.exam), before)
    assert not np.allclose(outputs(network, aware)[..., Y], closed[..., Y])
    place = torch.from_numpy(aware.place_W)
    y_MB = network(torch.from_numpy(aware.features.inputs_WF), place)[..., Y]
    torch.autograd.backward(y_MB.sum())
    assert network.entry.grad is not None
    assert (network.entry.grad[:, FEATURE_NAMES.index("propagation")] != 0).any()


def test_a_network_of_more_shapes_forecasts_the_known_ones_as_before() -> None:
    """A9: new shapes join in any place, known ones are bit for bit what they were."""
    network = unsettled(started())
    with reproducible(5):
        more = grown(network, [None, 2, 0, None, 1])
    assert more.n_shapes == 5
    place_W = np.array([2, 4, 1])[EXAM.place_W]
    found = member_outputs(more, EXAM.features, place_W)
    assert np.array_equal(found, outputs(network))
    assert len(SHAPES) == network.n_shapes
    assert (more.slope[:, [0, 3]] == 0).all()


def test_the_gradients_of_a_member_are_limited_by_their_own_norm() -> None:
    """A6: a wild member does not slow the others down, so none depends on what others learn."""
    weights = torch.nn.Linear(3, N_MEMBERS)
    for each in weights.parameters():
        each.grad = torch.ones_like(each)
    assert weights.weight.grad is not None
    weights.weight.grad[2] = 1e6
    limit_gradients(weights, 5.0)
    assert weights.bias.grad is not None
    squares = weights.weight.grad.square().sum(dim=1) + weights.bias.grad.square()
    assert squares.sqrt().tolist() == pytest.approx([2, 2, 5, 2, 2], rel=1e-4)


def test_the_loss_is_squared_error_in_units_of_the_regression_and_cross_entropy() -> None:
    """A6: the loss of one window, by hand."""
    said, came = torch.tensor([[[5.0, 0.0, 2.0]]]), torch.tensor([[[8.0, 1.0, 0.0]]])
    found = window_loss(said, came, torch.tensor([[2.0]]), label_weight=0.5)
    expected = 1.5**2 + 0.5 * (np.log(2) + np.log(1 + np.exp(2)))
    assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize("change", [{"width": 0}, {"depth": 0}, {"dropout": 1.0}])
def test_a_shape_that_cannot_be_built_is_refused(change: dict[str, int]) -> None:
    """B8: depth and width are configuration, within what can be built."""
    with pytest.raises(SettingInvalid, match="trend network"):
        TrendNetworkConfig(**change)  # type: ignore[arg-type]
    with reproducible(0):
        wide = TrendNetwork(TrendNetworkConfig(width=24, depth=5), 2)
    assert (len(wide.blocks), wide.entry.shape[-1]) == (5, 24)
