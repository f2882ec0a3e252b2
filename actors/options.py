"""How every actor of Dazzle is named, placed and restarted: one table."""

from typing import Any, Final

NAMESPACE: Final = "dazzle"
NETWORK: Final = "network"
REGISTRY: Final = "registry"
TREND: Final = "trend"
SUPERVISOR: Final = "supervisor"

RETRIES: Final = 5
"""Times that Ray repeats a call whose actor died under it: every method is safe to repeat, which
the kill test shows; a message that kills its actor each time is given up."""


def platform_name(platform_id: str) -> str:
    """Return the actor name of a platform."""
    return f"platform:{platform_id}"


def actor_options(name: str) -> dict[str, Any]:
    """Return the options of a detached actor that outlives its jobs and its own death."""
    return {
        "name": name,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "max_task_retries": RETRIES,
        "num_cpus": 0,  # it waits most of the time; training asks for whole processors
    }
