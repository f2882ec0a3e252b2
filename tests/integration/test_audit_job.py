"""The jobs keep and check the network's audit chain (B9)."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from actors.network import NetworkService
from cluster.settings import Settings
from cluster.storage.tokens import NETWORK_LEDGER

pytestmark = pytest.mark.timeout(600)


def job(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", f"jobs.{name}", *words)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def registered(ledger: Path) -> list[tuple[str, str, str]]:
    """Platform, contact and who said so, of each registration."""
    with sqlite3.connect(ledger) as read:
        rows = [json.loads(row) for (row,) in read.execute("SELECT row FROM audit ORDER BY seq")]
    profiles = [(one["profile"], one["by"]) for one in rows if "profile" in one]
    return [(said["platform_id"], said["contact"], by) for said, by in profiles]


def test_a_run_keeps_contacts_and_every_chain_is_checked(tmp_path: Path) -> None:
    """A run that is repeated leaves a contact alone; a changed row is named with its ledger."""
    data, out = tmp_path / "data", ("--out", str(tmp_path / "out"))
    ledger = data / NETWORK_LEDGER
    begin = ("register_platforms", *out, "--platforms", "2", "--cases-per-platform", "20")
    first = job(*begin, "--set", f"data_dir={data}")
    assert first.returncode == 0, first.stderr
    jobs = [("platform-1", "", "operator"), ("platform-2", "", "operator")]
    assert registered(ledger) == jobs
    network = NetworkService(Settings(data_dir=data))
    with sqlite3.connect(ledger) as read:
        chosen = "SELECT public_key FROM platforms WHERE platform_id = 'platform-1'"
        key = read.execute(chosen).fetchone()[0]
    profile = network.tags()[0].profile.model_copy(update={"contact": "mailto:a@b.example"})
    network.register(profile, key, "kid")
    network.close()
    again = job(*begin, "--set", f"data_dir={data}")
    assert again.returncode == 0, again.stderr
    assert registered(ledger) == [*jobs, ("platform-1", "mailto:a@b.example", "kid")]
    whole = job("verify_audit", *out)
    assert whole.returncode == 0, whole.stderr
    told = whole.stdout.splitlines()[-4:]  # after the progress
    names = ["network", "platforms/platform-1", "platforms/platform-2"]
    assert told == [*(f"{name}: whole" for name in names), "3 audit chains are whole"]
    with sqlite3.connect(ledger) as write:
        write.execute("UPDATE audit SET row = replace(row, 'kid', 'dik') WHERE row LIKE '%kid%'")
    broken = job("verify_audit", *out)
    assert broken.returncode == 1
    assert "platforms/platform-2: whole" in broken.stdout
    assert "does not follow from the one before (network)" in broken.stderr
