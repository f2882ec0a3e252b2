"""C1: what reads the files of strangers can open nothing itself."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from cluster.images.limits import Limits

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits()


def test_a_decoder_opens_nothing() -> None:
    """C1: once its decoders are loaded, it opens neither a file nor a socket."""
    code = (
        "import os, socket, sys\n"
        "from cluster.storage.decoder_process import prepare\n"
        "prepare()\n"
        "for open_one in (lambda: os.open('/dev/null', os.O_RDONLY), socket.socket):\n"
        "    try: open_one()\n"
        "    except OSError as error: assert error.errno == 24\n"
        "    else: sys.exit('opened')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(asdict(LIMITS))],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
