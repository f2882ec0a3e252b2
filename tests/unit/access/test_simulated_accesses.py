"""The access simulator: reproducible, well formed, and near the figures it was fitted on."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cluster.access.counting import bin_counts, checked_events
from cluster.access.propagation import transmission_trees
from cluster.access.simulated_network import simulated_network
from cluster.access.simulation import simulate_accesses
from cluster.clock import DAY_S
from cluster.contracts.access import CLICKS, EVENTS, TRANSMISSIONS
from cluster.errors import InputError

START = 1_700_000_000.0
DAYS = 150.0
CASES = [f"case-{i}" for i in range(240)]
NETWORK = simulated_network([f"site-{i}" for i in range(6)], seed=5)


def simulated(cases: list[str] = CASES[:20], **changed: object) -> pa.Table:
    asked = {"home": "site-0", "network": NETWORK, "start": START, "days": 40.0, "seed": 1}
    return simulate_accesses(cases, **(asked | changed))


@pytest.fixture(scope="module")
def accesses() -> pa.Table:
    return simulated(CASES, days=DAYS, seed=11)


def parent_rows(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that name a parent, and the rows of those parents."""
    child = np.flatnonzero(table["parent_id"].is_valid())
    parent = pc.index_in(table["parent_id"].take(child), value_set=table["event_id"])
    assert parent.null_count == 0
    return child, np.asarray(parent)


def test_the_same_arguments_give_the_same_table() -> None:
    """A5: simulated accesses are reproducible; another seed, home or start time differs."""
    assert simulated().equals(simulated())
    assert not simulated().equals(simulated(seed=2))
    assert not simulated()["at"].equals(simulated(home="site-1")["at"])


def test_the_network_is_reproducible_and_connected() -> None:
    """A5: links are mutual, weights of a platform add up to 1, sizes too."""
    again = simulated_network(NETWORK.platforms, seed=5)
    assert np.array_equal(again.weights, NETWORK.weights)
    assert np.array_equal(again.sizes, NETWORK.sizes)
    assert NETWORK.sizes.sum() == pytest.approx(1)
    assert NETWORK.weights.sum(axis=1) == pytest.approx(np.ones(6))
    linked = NETWORK.weights > 0
    assert np.array_equal(linked, linked.T)
    assert not linked.diagonal().any()
    assert all(linked[i, (i + 1) % 6] for i in range(6))


def test_every_event_can_be_counted(accesses: pa.Table) -> None:
    """A5: ids are unique and no row is refused; all lie within the span, in order of time."""
    kept, refusals = checked_events(accesses, now=START + DAYS * DAY_S)
    assert kept.schema == accesses.schema == EVENTS
    assert (kept.num_rows, refusals) == (accesses.num_rows, [])
    at = np.asarray(accesses["at"])
    assert START <= at.min() <= at.max() < START + DAYS * DAY_S
    assert (np.diff(at) >= 0).all()


def test_ids_of_other_homes_and_cases_never_meet() -> None:
    """A5: tables of two homes, or of other cases of one home, can be joined."""
    tables = [simulated(), simulated(home="site-1"), simulated(CASES[20:30])]
    ids = pa.concat_tables(tables)["event_id"]
    assert len(pc.unique(ids)) == len(ids)


def test_parents_are_as_the_contract_says(accesses: pa.Table) -> None:
    """A8: a parent exists, is earlier and of the same case; a usage names a click of its user."""
    child, parent = parent_rows(accesses)
    kind = np.asarray(accesses["kind"])
    case = np.asarray(accesses["case_id"])
    assert (case[child] == case[parent]).all()
    at = np.asarray(accesses["at"])
    assert (at[parent] < at[child]).all()
    is_click = np.isin(kind, CLICKS)
    assert np.isin(kind[parent[is_click[child]]], TRANSMISSIONS).all()
    usage = ~is_click[child]
    assert usage.sum() == (~is_click).sum()
    assert is_click[parent[usage]].all()
    for column in ("platform", "user"):
        values = np.asarray(accesses[column])
        assert (values[child][usage] == values[parent][usage]).all()


def test_private_forwards_never_leave_their_platform(accesses: pa.Table) -> None:
    """A8: only shares are read elsewhere, and only on platforms that are linked."""
    child, parent = parent_rows(accesses)
    kind = np.asarray(accesses["kind"])
    site = np.asarray(pc.index_in(accesses["platform"], value_set=pa.array(NETWORK.platforms)))
    clicked = np.isin(kind[child], CLICKS)
    child, parent = child[clicked], parent[clicked]
    hops = site[child] != site[parent]
    private = kind[parent] == "forward"
    assert private.any()
    assert not (hops & private).any()
    assert (NETWORK.weights[site[parent[hops]], site[child[hops]]] > 0).all()
    assert 0.15 < hops[~private].mean() < 0.35


def test_the_figures_are_near_those_of_real_accesses(accesses: pa.Table) -> None:
    """A5: level, decay and usages of a case are of the size that was fitted on preprints."""
    clicks, _ = bin_counts(accesses, cases=CASES, start=START, bin_s=30 * DAY_S, n_bins=5)
    of_case = clicks.sum(axis=1)
    assert 450 < np.median(of_case) < 900
    months = np.median(clicks, axis=0)
    assert months.argmax() == 0
    assert 0.4 < months[0] / np.median(of_case) < 0.8
    downloads = accesses.filter(pc.equal(accesses["kind"], "download"))
    _, downloaded = bin_counts(downloads, cases=CASES, start=START, bin_s=DAYS * DAY_S, n_bins=1)
    assert 0.2 < np.median(downloaded[:, 0] / of_case) < 0.45


def test_cascades_are_drawn_beyond_the_first_generation(accesses: pa.Table) -> None:
    """A8: some transmissions come from transmissions, and few of them have nearly all."""
    trees = transmission_trees(accesses)
    shares = trees.node_kind != TRANSMISSIONS.index("download")
    parents = trees.node_parent[shares]
    offspring = np.bincount(parents[parents >= 0], minlength=len(shares))[shares]
    assert 0.1 < offspring.mean() < 0.6
    assert (offspring == 0).mean() > 0.85


def test_cases_appear_within_the_days_of_birth() -> None:
    """A5: births are spread evenly over their days; without cases there is nothing."""
    events = simulated(CASES[:60], birth_days=40.0)
    first = events.group_by("case_id").aggregate([("at", "min")])["at_min"]
    days = (np.asarray(first) - START) / DAY_S
    assert days.min() < 10 and days.max() > 30
    assert 12 < np.median(days) < 28
    assert simulated([]).num_rows == 0


def test_a_lone_platform_keeps_its_cases() -> None:
    """A5: without other platforms all happens at home, also within a span of less than a day."""
    alone = simulated_network(["site-0"], seed=1)
    assert pc.unique(simulated(network=alone)["platform"]).to_pylist() == ["site-0"]
    short = simulated(network=alone, days=0.5)
    assert short.num_rows > 0
    assert max(short["at"].to_pylist()) < START + 0.5 * DAY_S


@pytest.mark.parametrize(
    "changed",
    [
        {"cases": ["a", "a"]},
        {"home": "nowhere"},
        {"days": 0.0},
        {"days": float("inf")},
        {"birth_days": -1.0},
        {"birth_days": float("nan")},
    ],
)
def test_what_cannot_be_simulated_is_refused(changed: dict) -> None:
    """A5: unknown homes, repeated cases and senseless spans or births are input errors."""
    with pytest.raises(InputError):
        simulated(**changed)


@pytest.mark.parametrize("platforms", [[], ["a", "a"]])
def test_a_network_needs_distinct_platforms(platforms: list[str]) -> None:
    """A5: a network without platforms, or with one twice, is an input error."""
    with pytest.raises(InputError):
        simulated_network(platforms, seed=1)
