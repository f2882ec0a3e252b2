"""SIMULATED access windows of a known law, for tests."""

import numpy as np
import pyarrow as pa

from cluster.contracts.trend import N_FUT, N_OBS, PLACES, WINDOWS
from cluster.trend.windows import Shape

Column = list[object]
PLATFORM = Shape(N_OBS, N_FUT)
MONTHLY = Shape(2, 3)
LONG = Shape(14, 28)
SHAPES = (MONTHLY, PLATFORM, LONG)
"""In the order in which a table's shapes are told."""


def access_windows(
    n: int, seed: int, *, growth: float = 1.0, prefix: str = "case", shape: Shape = PLATFORM
) -> pa.Table:
    """Windows of n items with two cuts each for every other item.

    The accesses of the horizon go on with the last bins, times ``growth`` and times 2 to the
    power of four times the propagation index: what only a model that reads it can know.
    """
    generator = np.random.default_rng(seed)
    n_obs, n_fut = shape
    item = np.minimum(np.arange(n), np.arange(n) // 2 * 2 + np.arange(n) // 2 % 2)
    level = np.exp(generator.normal(2.0, 1.0, n))
    slope = np.exp(generator.normal(0.0, 0.1, n))
    rate = level[:, None] * slope[:, None] ** np.arange(n_obs)
    clicks, usages = generator.poisson(rate), generator.poisson(rate * 0.4)
    propagation = generator.beta(1.0, 3.0, n)
    future = rate[:, -1] * 1.4 * n_fut * growth * 2.0 ** (4.0 * propagation)
    total = generator.poisson(future)
    columns: dict[str, Column] = {
        "sample_id": [f"{prefix}-{i}@{row}" for row, i in enumerate(item)],
        "item_id": [f"{prefix}-{i}" for i in item],
        "platform": ["north"] * n,
        "cut": list(1.7e9 + generator.integers(0, 365, n) * 86_400.0),
        "bin_days": [1.75] * n,
        "n_obs": [n_obs] * n,
        "n_fut": [n_fut] * n,
        "age_days": list(generator.uniform(14, 200, n)),
        "first_seen": [None] * n,
        "clicks": clicks.astype(float).tolist(),
        "usages": usages.astype(float).tolist(),
        **{place: [None] * n for place in PLACES},
        "propagation": list(propagation),
        "fut_total": list(total.astype(float)),
        "hot": [None] * n,
        "surge": [None] * n,
    }
    return pa.table(columns, schema=WINDOWS)


def mixed_windows(n: int, seed: int) -> pa.Table:
    """Windows of three shapes, n of each, shuffled: months, a platform's, and by place alone.

    The first tell no propagation, age or cut; the last no clicks, but places and the first bin.
    """
    months = access_windows(n, seed, prefix="month", shape=MONTHLY)
    for name in ("propagation", "age_days", "cut"):
        months = with_column(months, name, [None] * n)
    months = with_column(months, "bin_days", list(np.linspace(29.0, 31.0, n)))
    places = access_windows(n, seed + 1, prefix="place", shape=LONG)
    clicks, usages = places["clicks"].to_pylist(), places["usages"].to_pylist()
    both = [
        [c + u for c, u in zip(*pair, strict=True)] for pair in zip(clicks, usages, strict=True)
    ]
    for name, values in (("plat_a", clicks), ("plat_b", usages), ("usages", both)):
        places = with_column(places, name, values)
    places = with_column(places, "clicks", [None] * n)
    places = with_column(places, "first_seen", [float(row % 16) for row in range(n)])
    platform = access_windows(n, seed + 2, prefix="case")
    tables = [
        with_column(table, "platform", [name] * n)
        for name, table in (("months", months), ("north", platform), ("places", places))
    ]
    order = np.random.default_rng(seed).permutation(3 * n)
    return pa.concat_tables(tables).take(order)


def with_column(windows: pa.Table, name: str, values: Column) -> pa.Table:
    """The windows with one column replaced."""
    field = WINDOWS.field(name)
    index = windows.column_names.index(name)
    return windows.set_column(index, field, pa.array(values, field.type))


def with_cell(windows: pa.Table, name: str, row: int, value: object) -> pa.Table:
    """The windows with one value replaced."""
    values = windows[name].to_pylist()
    values[row] = value
    return with_column(windows, name, values)


def with_labels(windows: pa.Table) -> pa.Table:
    """The windows with both labels given by the source: hot and surge do not follow from others."""
    n = windows.num_rows
    generator = np.random.default_rng(n)
    for name in ("hot", "surge"):
        windows = with_column(windows, name, (generator.random(n) < 0.2).tolist())
    return windows
