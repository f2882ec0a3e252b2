"""Synthetic access windows of a known law, for tests."""

import numpy as np
import pyarrow as pa

from cluster.contracts.trend import N_FUT, N_OBS, WINDOWS

Column = list[object]


def access_windows(n: int, seed: int, *, growth: float = 1.0, prefix: str = "case") -> pa.Table:
    """Windows of n items with two cuts each for every other item.

    The accesses of the horizon go on with the last bins, times ``growth`` and times 2 to the
    power of four times the propagation index: what only a model that reads it can know.
    """
    generator = np.random.default_rng(seed)
    item = np.minimum(np.arange(n), np.arange(n) // 2 * 2 + np.arange(n) // 2 % 2)
    level = np.exp(generator.normal(2.0, 1.0, n))
    slope = np.exp(generator.normal(0.0, 0.1, n))
    rate = level[:, None] * slope[:, None] ** np.arange(N_OBS)
    clicks, usages = generator.poisson(rate), generator.poisson(rate * 0.4)
    propagation = generator.beta(1.0, 3.0, n)
    future = rate[:, -1] * 1.4 * N_FUT * growth * 2.0 ** (4.0 * propagation)
    total = generator.poisson(future)
    columns: dict[str, Column] = {
        "sample_id": [f"{prefix}-{i}@{row}" for row, i in enumerate(item)],
        "item_id": [f"{prefix}-{i}" for i in item],
        "platform": ["north"] * n,
        "cut": list(1.7e9 + generator.integers(0, 365, n) * 86_400.0),
        "bin_days": [1.75] * n,
        "n_obs": [N_OBS] * n,
        "n_fut": [N_FUT] * n,
        "age_days": list(generator.uniform(14, 200, n)),
        "clicks": clicks.astype(float).tolist(),
        "usages": usages.astype(float).tolist(),
        "propagation": list(propagation),
        "fut_total": list(total.astype(float)),
    }
    return pa.table(columns, schema=WINDOWS)


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
