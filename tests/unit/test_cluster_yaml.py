"""The file for ``ray up``."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click import ClickException
from ray.autoscaler._private.util import prepare_config, validate_config

FILE = Path(__file__).parents[2] / "cluster.yaml"


def config() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


def test_ray_accepts_the_cluster_file() -> None:
    """Design card: ``cluster.yaml`` is a configuration that ``ray up`` takes."""
    validate_config(prepare_config(config()))


def test_a_misspelt_name_would_be_found() -> None:
    """Design card: the check above can fail."""
    wrong = config()
    wrong["provider"]["worker_ip"] = wrong["provider"].pop("worker_ips")
    with pytest.raises((ClickException, ValueError, KeyError)):
        validate_config(prepare_config(wrong))


def test_every_node_asks_for_the_token() -> None:
    """Safe by default: token authentication is set on purpose, and the dashboard stays local."""
    starts = [config()[f"{role}_start_ray_commands"][-1] for role in ("head", "worker")]
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    assert "--dashboard-host=127.0.0.1" in starts[0]
