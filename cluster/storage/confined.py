"""Decides how a process is started that reads files of strangers, and what it gives up (C1, C9).

It gets no secret: its environment has only what Python needs. It has no network where the system
lets a process leave it, bounded memory and processor time, opens no file and no socket, starts
no process and leaves no core behind. Limits of the system count for the rest of its life.
"""

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).resolve().parents[2]
LIBRARY_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
NO_TELEMETRY: Final = {"ORT_DISABLE_TELEMETRY": "1"}
"""Else onnxruntime keeps a database in the user's home open for writing, to send what it noted."""
NEW_USER_AND_NETWORK: Final = 0x10000000 | 0x40000000
"""CLONE_NEWUSER, by which a process without privileges may ask for CLONE_NEWNET."""


def start_confined(
    module: str,
    request: str,
    source: int | IO[bytes],
    target: int | IO[bytes],
    handles: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start one of our modules, which confines itself before it reads anything.

    Args:
        module: its dotted name.
        request: what it reads as its only argument.
        source: its input: an open file, or ``subprocess.PIPE``.
        target: its output.
        handles: further open files, which keep their numbers.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-P", "-m", module, request],
        stdin=source,
        stdout=target,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=kept | {"PYTHONPATH": str(ROOT)} | NO_TELEMETRY | dict.fromkeys(LIBRARY_THREADS, "1"),
        pass_fds=handles,
    )


def leave_network() -> bool:
    """Go where there is no network, not even this machine's own; says whether that was possible.

    It is not where user namespaces are turned off, and in a process with more than one thread; so
    it comes before libraries are loaded.
    """
    system = ctypes.CDLL(None, use_errno=True)
    return hasattr(system, "unshare") and system.unshare(NEW_USER_AND_NETWORK) == 0


def confine(address_bytes: int, file_bytes: int = 0) -> None:
    """Give up what reading a file does not need; what is open stays so, nothing else is opened.

    Args:
        address_bytes: address space.
        file_bytes: size up to which an open file may be written.
    """
    resource.setrlimit(resource.RLIMIT_AS, (address_bytes, address_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
        resource.setrlimit(kind, (0, 0))


def allow_seconds(seconds: float) -> None:
    """Let the process use some more processor time; beyond it the system ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.getrlimit(resource.RLIMIT_CPU)[1]))
