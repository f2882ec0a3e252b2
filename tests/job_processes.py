"""Jobs as processes of their own, as a user types them; none outlives its test."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Begin = Callable[..., subprocess.Popen[str]]


@contextmanager
def begun_jobs(job: str, *words: str) -> Iterator[Begin]:
    """Give what starts a job with these words, and further ones."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DAZZLE_"))}
    begun: list[subprocess.Popen[str]] = []

    def begin(*further: str) -> subprocess.Popen[str]:
        begun.append(
            subprocess.Popen(
                [sys.executable, "-m", f"jobs.{job}", *words, *further],
                cwd=ROOT,
                env=kept,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield begin
    for one in begun:
        if one.poll() is None:
            one.kill()
        one.communicate()
