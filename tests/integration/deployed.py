"""A Ray head of its own, and the applications on it by ``serve deploy``, as operators type it."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import yaml

from tests.http_builders import free_port

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("actors", "cluster", "jobs", "serve_apps")
SHIPPED = "serve_apps/config.yaml"
Config = dict[str, Any]


def copied_source(folder: Path) -> Path:
    """Copy what a release is made of, so that nothing reads the checkout, or writes there."""
    for name in PACKAGES:
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def built_wheel(source: Path, folder: Path) -> Path:
    """Build the wheel of a source tree, without a network."""
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    into = ["--wheel-dir", str(folder), str(source)]
    command = [sys.executable, "-m", "pip", "wheel", *offline, *into]
    subprocess.run(command, check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def an_environment(folder: Path, wheel: Path | None = None) -> Path:
    """Make an environment that has our dependencies, and of us the wheel or nothing."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    if wheel is not None:
        words = ["--python", str(python), "install", "--no-deps", "--no-index", "-q", str(wheel)]
        subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    return python


@dataclass(frozen=True)
class Head:
    """A running head, and where its Serve answers."""

    python: Path
    folder: Path
    """In which commands are typed."""
    env: dict[str, str]
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words: str) -> str:
        """Type a command, and return what it shows."""
        command = [str(self.python), "-m", *words]
        ended = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def token(self, role: str = "operator", *more: str) -> str:
        shown = self.run("jobs.issue_token", "--role", role, "--holder", "test", *more)
        return shown.split()[0]

    def deploy(self, config: Config) -> None:
        """Type ``serve deploy``, which hands a configuration over; Serve follows when it can."""
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(config | {"http_options": {"port": self.port}}))
        self.run("ray.serve.scripts", "deploy", str(path))

    def hand_over(self, config: Config) -> None:
        """Do what ``serve deploy`` does, without its start."""
        sent = config | {"http_options": {"port": self.port}}
        assert self._serve("PUT", json=sent).is_success

    def state(self) -> dict[str, Any]:
        """Return what Serve says of its applications."""
        told: dict[str, Any] = self._serve("GET").json()
        return told["applications"]  # type: ignore[no-any-return]  # of Ray's JSON

    def _serve(self, method: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.env['RAY_AUTH_TOKEN']}"}
        address = f"{self.env['RAY_DASHBOARD_ADDRESS']}/api/serve/applications/"
        return httpx.request(method, address, headers=headers, timeout=60, **more)

    def replicas(self, application: str) -> dict[str, str]:
        """Return the states of the replicas of an application; none while it is read anew."""
        found = self.state()[application]["deployments"].get(application, {})
        return {one["replica_id"]: one["state"] for one in found.get("replicas", ())}

    def answers(self) -> bool:
        """Say whether the head takes what is deployed."""
        assert self.process.poll() is None, "the head has ended"
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.env['RAY_DASHBOARD_ADDRESS']}/api/version").status_code == 401
        return False

    def is_running(self) -> bool:
        """Say whether every application runs."""
        found = self.state()
        told = {name: one["status"] for name, one in found.items()}
        assert "DEPLOY_FAILED" not in told.values(), found
        return set(told.values()) == {"RUNNING"}


def until(is_so: Callable[[], bool]) -> None:
    """Look again and again until something is so."""
    while not is_so():
        threading.Event().wait(0.1)


@contextmanager
def a_head(python: Path, folder: Path, **settings: str) -> Iterator[Head]:
    """Start a head with ports, temporary folder and token of its own, and end it.

    Args:
        python: of its environment.
        folder: in which commands are typed; the data folder is below it.
        settings: of Dazzle.
    """
    gcs, dashboard, clients = free_port(), free_port(), free_port()
    temporary = Path(mkdtemp(prefix="ray"))  # short: names of sockets are
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env |= {f"DAZZLE_{name.upper()}": text for name, text in settings.items()}
    env |= {
        "DAZZLE_DATA_DIR": str(folder / "data"),
        "FORWARDED_ALLOW_IPS": "",
        "OMP_NUM_THREADS": "1",
        "RAY_ADDRESS": f"127.0.0.1:{gcs}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_DASHBOARD_ADDRESS": f"http://127.0.0.1:{dashboard}",
        "RAY_worker_niceness": "0",
    }
    words = ["--head", "--block", "--disable-usage-stats", "--num-cpus=2"]
    words += [f"--port={gcs}", f"--dashboard-port={dashboard}", "--dashboard-agent-listen-port=0"]
    words += [f"--ray-client-server-port={clients}", f"--temp-dir={temporary}"]
    words += ["--node-ip-address=127.0.0.1", f"--object-store-memory={100 << 20}"]
    with subprocess.Popen(
        [python, "-m", "ray.scripts.scripts", "start", *words],
        cwd=temporary,  # so that no process finds code where it was started
        env={name: text for name, text in env.items() if name != "RAY_ADDRESS"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        head = Head(python, folder, env, free_port(), process)
        try:
            until(head.answers)
            yield head
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # asked kindly, it would drain half a minute
    until(lambda: not processes_with(env["RAY_AUTH_TOKEN"]))
    shutil.rmtree(temporary, ignore_errors=True)


def shipped_config(folder: Path) -> Config:
    """Read the configuration that lies with the code."""
    config: Config = yaml.safe_load((folder / SHIPPED).read_text())
    return config


def from_folder(folder: Path) -> Config:
    """Copy the source into a folder, and return the configuration that takes the code there."""
    config = shipped_config(copied_source(folder))
    for one in config["applications"]:
        one["runtime_env"] = {"working_dir": f"local://{folder}"}
    return config


def processes_with(text: str) -> list[int]:
    """Return the processes in whose environment a text stands."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if text.encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found
