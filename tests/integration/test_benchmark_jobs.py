"""The benchmarks as their users run them, on little."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.contracts.result import SIMULATED

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(300)


def benchmark(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the job without a terminal and without settings of the environment."""
    chosen = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DAZZLE_"))}
    command = [sys.executable, "-m", "jobs.benchmark", *words]
    return subprocess.run(
        command, cwd=ROOT, env=chosen, capture_output=True, text=True, timeout=250, check=False
    )


def written(folder: Path) -> Any:
    return json.loads((folder / "benchmark.json").read_text())


def test_retrieval_is_measured_at_each_size(tmp_path: Path) -> None:
    """A4: recall beside a comparison with every vector, SIMULATED cases named, scratch cleared."""
    out = tmp_path / "bench"
    done = benchmark(
        *("retrieval", "--out", str(out), "--platforms", "2", "--cases-per-platform", "30"),
        *("--sizes", "50,300"),
    )
    assert done.returncode == 0, done.stderr
    assert SIMULATED in done.stdout
    found = written(out)
    assert found["machine"]["processors"] >= 1
    assert found["given_cases"] == 60
    small, large = found["sizes"]["50"], found["sizes"]["300"]
    assert (small["simulated_cases"], large["simulated_cases"]) == (0, 240)
    for facts in (small, large):
        recalls = [facts[name] for name in facts if "recall" in name]
        assert len(recalls) == 4
        assert min(recalls) == 1
        assert facts["queries_per_s_of_2_processes"] > 0
        assert facts["rare_features_of_1000_written_kb"] < 1000
    assert not (out / "scratch").exists()


def test_screening_is_measured(tmp_path: Path) -> None:
    """A2: drawn cases, said to be so."""
    out = tmp_path / "bench"
    done = benchmark("screening", "--out", str(out), "--n-cases", "20000", "--n-classes", "50")
    assert done.returncode == 0, done.stderr
    assert SIMULATED in done.stdout
    assert written(out)["screening"]["cases"] == 20000


def test_propagation_is_measured(tmp_path: Path) -> None:
    """A8: drawn transmissions, said to be so; added events give the indexes of a recount."""
    out = tmp_path / "bench"
    done = benchmark("propagation", "--out", str(out), "--n-edges", "20000")
    assert done.returncode == 0, done.stderr
    assert SIMULATED in done.stdout
    figures = written(out)["propagation"]
    assert (figures["edges"], figures["events"], figures["cases"]) == (20000, 40000, 40)
    assert figures["index_difference_max"] == 0
    assert not (out / "scratch").exists()


def test_images_are_measured(tmp_path: Path) -> None:
    """C2 C3 C6: training by stage and workers, recognition by runtime, SIMULATED and said to be."""
    out = tmp_path / "bench"
    done = benchmark(
        *("images", "--out", str(out), "--backbone", "efficientnet_lite0"),
        *("--image-size", "75", "--n-images", "24", "--workers", "1"),
    )
    assert done.returncode == 0, done.stderr
    assert SIMULATED in done.stdout
    found = written(out)
    assert (found["cases"], found["weights"], found["images"]) == (SIMULATED, "none", 24)
    assert 1 < found["file_mb"]["int8"] < found["file_mb"]["fp32"]
    assert set(found["recognition"]) == {"1", "8"} and set(found["training"]) == {"1"}
    for rates in found["training"].values():
        assert set(rates) == {f"{stage}_images_per_s" for stage in ("head", "upper", "all")}
    for part in ("recognition", "training"):
        assert min(min(figures.values()) for figures in found[part].values()) > 0
    shares = [value for name, value in found["picture"].items() if name.endswith("share")]
    assert len(shares) == 3 and abs(sum(shares) - 1) < 1e-6


@pytest.mark.parametrize("sizes", ["", "none", "0", "10,-3"])
def test_sizes_that_are_no_numbers_are_refused(sizes: str, tmp_path: Path) -> None:
    """B9: the caller's fault is one line and exit code 2."""
    done = benchmark("retrieval", "--out", str(tmp_path / "bench"), "--sizes", sizes)
    assert done.returncode == 2
    assert "is not a list of numbers of cases" in done.stderr
