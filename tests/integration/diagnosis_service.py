"""python diagnosis_service.py PORT: the diagnosis application on the cluster of ``RAY_ADDRESS``.

Says the token of an operator on its last line, and ends with its input.
"""

import sys

from cluster.settings import load_settings
from serve_apps.diagnosis.api import PREFIX
from serve_apps.diagnosis.app import app
from serve_apps.http.serving import Place, served

if __name__ == "__main__":
    place = Place("diagnosis", f"/{PREFIX.split('/')[1]}", app)
    with served(load_settings(), [place], int(sys.argv[1]), fast=False) as issued:
        print(issued.token, flush=True)  # noqa: T201 - read by the test
        sys.stdin.read()
