"""Access windows out of the files that scientists have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cluster.contracts.trend import WINDOWS
from cluster.errors import InputError, SourceUnreadable, WindowInvalid
from cluster.flow.windows import to_bytes
from cluster.storage import windows as reader
from cluster.storage.windows import read_windows, write_forecasts
from cluster.trend.features import windows_to_features

Columns = dict[str, Any]


def supervised() -> Columns:
    """Two windows in the layout of a table of supervised windows."""
    return {
        "sample_id": pa.array(["a", "b"], pa.large_string()),
        "track": pa.array(["wiki", "news"], pa.large_string()),
        "item_id": pa.array(["i", "j"], pa.large_string()),
        "cohort": pa.array(["2019-09", "all"], pa.large_string()),
        "first_seen": pa.array([None, 1], pa.int16()),
        "bin_days": [30.4, 0.5],
        "n_obs": pa.array([2, 3], pa.int64()),
        "n_fut": pa.array([3, 6], pa.int64()),
        "clicks": [[1.0, 2.0], None],
        "usages": [None, [0.0, 0.0, 0.0]],
        "plat_a": pa.array([[1, 2], None], pa.list_(pa.int64())),
        "fut_total": [7.0, None],
        "y_log2": [3.0, None],
        "hot": pa.array([1, None], pa.int8()),
        "surge": pa.array([0, None], pa.int8()),
    }


def written(folder: Path, columns: Columns) -> Path:
    path = folder / "windows.parquet"
    parquet.write_table(pa.table(columns), path)
    return path


def test_a_table_of_supervised_windows_is_read(tmp_path: Path) -> None:
    """A6: source, month, counts and labels find their places; what is not told is null."""
    windows = read_windows(written(tmp_path, supervised()))
    assert windows.schema.equals(WINDOWS)
    first, second = windows.to_pylist()
    assert (first["platform"], first["cut"]) == ("wiki", 1567296000.0)  # 2019-09-01, UTC
    assert (first["clicks"], first["usages"], first["plat_a"]) == ([1, 2], None, [1, 2])
    assert (first["fut_total"], first["hot"], first["surge"]) == (7.0, True, False)
    assert (second["cut"], second["first_seen"], second["clicks"]) == (None, 1.0, None)
    assert (second["fut_total"], second["hot"], second["plat_c"]) == (None, None, None)


def test_the_products_own_windows_come_back_as_they_were(tmp_path: Path) -> None:
    """A6: what is read, written and read again is the same, to the last byte."""
    windows = read_windows(written(tmp_path, supervised()))
    parquet.write_table(windows, tmp_path / "own.parquet", row_group_size=1)
    again = read_windows(tmp_path / "own.parquet")
    assert again.equals(windows)
    assert to_bytes(again) == to_bytes(windows)


@pytest.mark.parametrize(
    ("cohort", "cut"),
    [
        ("2019-09", 1567296000.0),
        ("201909", 1567296000.0),
        (201909, 1567296000.0),
        ("197001", 0.0),
        ("2019-13", None),
        ("2019-9", None),
        ("20190", None),
        ("1", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_month_becomes_a_cut(tmp_path: Path, cohort: object, cut: float | None) -> None:
    """A6: a cohort that is no month is no time."""
    path = written(tmp_path, supervised() | {"cohort": pa.array([cohort, cohort])})
    assert read_windows(path)["cut"].to_pylist() == [cut, cut]


def test_a_told_cut_counts_before_the_month(tmp_path: Path) -> None:
    """A6: the month stands in only where no cut is told."""
    cohort = pa.array(["2019-09", "2019-09"])
    path = written(tmp_path, supervised() | {"cut": [5.0, None], "cohort": cohort})
    assert read_windows(path)["cut"].to_pylist() == [5.0, 1567296000.0]


def test_labels_and_what_a_window_may_lack_may_be_missing(tmp_path: Path) -> None:
    """A7: windows of which the future is not known are windows."""
    needed = ("sample_id", "item_id", "bin_days", "n_obs", "n_fut", "usages", "clicks")
    columns = {name: supervised()[name] for name in needed}
    for table in (columns, columns | {"plat_b": pa.nulls(2), "fut_total": [np.nan, np.nan]}):
        windows = read_windows(written(tmp_path, table))
        assert windows["platform"].to_pylist() == [reader.UNNAMED] * 2
        assert windows["fut_total"].null_count == windows["plat_b"].null_count == 2


def test_the_same_windows_have_the_same_bytes_in_every_layout(tmp_path: Path) -> None:
    """A6: integer, category or wide types do not make other windows of them."""
    plain = supervised()
    other = plain | {
        "sample_id": pa.array(["a", "b"]).dictionary_encode(),
        "n_obs": [2.0, 3.0],
        "first_seen": [np.nan, 1.0],
        "clicks": pa.array([[1, 2], None], pa.large_list(pa.int32())),
        "hot": [1.0, np.nan],
        "surge": [False, None],
        "note": ["x", "y"],
    }
    assert to_bytes(read_windows(written(tmp_path, plain))) == to_bytes(
        read_windows(written(tmp_path, other))
    )


Change = Callable[[Columns], Columns]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda c: {n: c[n] for n in c if n != "n_obs"}, SourceUnreadable, "no column n_obs"),
        (
            lambda c: {n: c[n] for n in c if n not in {"clicks", "usages"}},
            SourceUnreadable,
            "no column clicks or usages",
        ),
        (lambda c: {n: v[:0] for n, v in c.items()}, SourceUnreadable, "no windows in it"),
        (lambda c: c | {"sample_id": ["a", "a"]}, WindowInvalid, "sample_id 'a' comes twice"),
        (lambda c: c | {"item_id": ["i", None]}, WindowInvalid, "item_id has no value"),
        (lambda c: c | {"bin_days": [1.0, np.nan]}, WindowInvalid, "bin_days has no value"),
        (lambda c: c | {"bin_days": ["1", "2"]}, WindowInvalid, "bin_days is of type string"),
        (lambda c: c | {"clicks": [1.0, 2.0]}, WindowInvalid, "clicks is of type double"),
        (lambda c: c | {"clicks": [["1"], ["2"]]}, WindowInvalid, "clicks is of type list"),
        (lambda c: c | {"n_obs": [2.5, 3.0]}, WindowInvalid, "n_obs cannot be read as int32"),
        (lambda c: c | {"n_obs": [2, 1 << 40]}, WindowInvalid, "n_obs cannot be read as int32"),
        (lambda c: c | {"hot": [2, 0]}, WindowInvalid, "hot is neither 0 nor 1"),
        (lambda c: c | {"hot": ["yes", "no"]}, WindowInvalid, "hot is of type string"),
        (lambda c: c | {"cut": ["2019", "2020"]}, WindowInvalid, "cut is of type string"),
        (lambda c: c | {"sample_id": [1.5, 2.5]}, WindowInvalid, "sample_id is of type double"),
    ],
)
def test_a_file_of_other_content_is_refused(
    tmp_path: Path, change: Change, error: type[InputError], said: str
) -> None:
    """A6: what is wrong, in which file and row, and what to do about it."""
    path = written(tmp_path, change(supervised()))
    with pytest.raises(error, match=said) as caught:
        read_windows(path)
    assert str(path) in caught.value.where
    assert caught.value.remedy


def test_what_is_not_readable_parquet_is_refused(tmp_path: Path) -> None:
    """A6: no file, an empty one, a folder, a text, a truncated or damaged file."""
    whole = written(tmp_path, supervised()).read_bytes()
    path = tmp_path / "other.parquet"
    with pytest.raises(SourceUnreadable, match="no such file"):
        read_windows(path)
    with pytest.raises(SourceUnreadable, match="cannot be read as Parquet"):
        read_windows(tmp_path)
    for content in (b"", b"sample_id,clicks\n", whole[:-20], whole[:200], whole[100:]):
        path.write_bytes(content)
        with pytest.raises(SourceUnreadable, match="cannot be read as Parquet"):
            read_windows(path)


def test_text_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A6: an id of broken UTF-8 is found when it is read, not when it is shown."""
    broken = pa.array([b"a", b"\xff\xfe"]).view(pa.string())
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        read_windows(written(tmp_path, supervised() | {"item_id": broken}))


def test_a_small_file_that_states_very_many_values_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A6: what would not fit in memory is refused by what the file says of itself."""
    monkeypatch.setattr(reader, "VALUES_MAX", 5)
    columns = supervised() | {"usages": [[0.0] * 9, None]}
    with pytest.raises(SourceUnreadable, match="more than 5 values"):
        read_windows(written(tmp_path, columns))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([-1.0, 2.0], "clicks has a count that is negative, no number"),
        ([np.nan, 2.0], "clicks has a count that is negative, no number"),
        ([None, 2.0], "clicks has a count that is negative, no number"),
        ([1.0], "clicks has not n_obs = 2 bins"),
        ([1.0, 2.0, 3.0], "clicks has not n_obs = 2 bins"),
    ],
)
def test_a_bad_count_is_named_with_its_window(
    tmp_path: Path, counts: list[float], said: str
) -> None:
    """A6: the reader passes it on, and the message names the window and its row in the file."""
    ids = pa.array(["b", "a"])
    columns = supervised() | {"sample_id": ids, "clicks": [[1.0] * 2, counts]}
    columns |= {"n_obs": [2, 2], "usages": [None, None]}
    with pytest.raises(WindowInvalid, match=said) as caught:
        windows_to_features(read_windows(written(tmp_path, columns)))
    assert caught.value.where == "window 'a', row 1"


def test_forecasts_are_written_whole(tmp_path: Path) -> None:
    """A7: the file is there with all rows, or not at all."""
    write_forecasts(tmp_path / "deep" / "out.parquet", pa.table({"item_id": ["a"]}))
    assert parquet.read_table(tmp_path / "deep" / "out.parquet").to_pylist() == [{"item_id": "a"}]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out.parquet"]


@pytest.mark.data
def test_the_real_windows_are_read(shared_data: Path) -> None:
    """A6: all windows of the four real sources, each with its counts, as features too."""
    windows = read_windows(shared_data / "access" / "windows_dev.parquet")
    assert windows.num_rows == 43_539
    assert set(windows["platform"].unique().to_pylist()) == {"preprint", "zenodo", "wiki", "news"}
    assert windows["fut_total"].null_count == windows["hot"].null_count == 0
    assert len(windows_to_features(windows).shapes) == 4
