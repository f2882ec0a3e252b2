"""Models of strangers, from the file to the list, with real confined processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx_builders import (
    LABELS,
    PROBABILITIES,
    SIZE,
    K,
    a_model,
    costly,
    drawn,
    endless,
    hostile,
    saved,
)

from cluster.errors import ModelRefused
from cluster.flow.model_upload import extremes
from cluster.models.onnx_form import Form
from cluster.models.onnx_rules import Ends, read_model
from cluster.storage import model_checker
from cluster.storage.confined import NO_TELEMETRY
from cluster.storage.model_checker import CheckedModel, Claim, ModelLimits, check_upload
from cluster.storage.model_process import Question, settle

ROOT = Path(__file__).parents[2]
CANARY = Path(tempfile.gettempdir()) / f"canary-{os.getpid()}"
HOSTILE = hostile(str(CANARY))
COSTLY = costly()
LIMITS = ModelLimits(file_bytes=64 << 20, seconds=20.0)
PIXELS = list(extremes(SIZE))
PARENT_GROWS = 64 << 20
"""Bytes of memory that the checking side may take, and a tenth of what a bomb would."""


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does, no file and no process is left behind."""
    waiting = tmp_path / "temporary"
    waiting.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(waiting))
    before = children()  # those of Ray, where the session has started it
    yield
    assert not list(waiting.iterdir()) and not CANARY.exists()
    assert not children() - before


def children() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def peak_bytes() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) * 1024 if found else 0


def check(
    content: bytes, folder: Path, claim: Claim | None = None, limits: ModelLimits = LIMITS
) -> CheckedModel:
    path = folder / "a model.safetensors"  # the name says nothing
    path.write_bytes(content)
    try:
        return check_upload(path, claim or Claim(LABELS, SIZE), len(PIXELS), PIXELS, limits)
    finally:
        path.unlink()


def answers(content: bytes, image: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(content)
    (found,) = session.run(None, {session.get_inputs()[0].name: image})
    return np.asarray(found)


def images() -> NDArray[np.float32]:
    return np.stack(PIXELS).transpose(0, 3, 1, 2).astype(np.float32)


@pytest.mark.parametrize("name", [*HOSTILE, *COSTLY])
def test_a_hostile_file_costs_nothing_but_itself(name: str, tmp_path: Path) -> None:
    """C9: each is refused with its own code; the checking side stays small, nothing is left."""
    content, code = (HOSTILE | COSTLY)[name]
    limits = ModelLimits(LIMITS.file_bytes, 2.0 if code == "too_costly" else LIMITS.seconds)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    before = peak_bytes()
    with pytest.raises(ModelRefused) as refused:
        check(content, tmp_path, Claim(LABELS, SIZE, "0-1"), limits)
    assert f"({code})" in str(refused.value)
    assert peak_bytes() - before < PARENT_GROWS


def test_what_is_no_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """C9: a folder, a pipe that nobody writes to, a missing and a too large file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(1001))
    codes = {
        tmp_path: "file_unreadable",
        tmp_path / "pipe": "file_unreadable",
        tmp_path / "none": "file_unreadable",
        tmp_path / "large": "file_too_large",
    }
    for path, code in codes.items():
        with pytest.raises(ModelRefused, match=code):
            check_upload(path, Claim(LABELS, SIZE), 4, PIXELS, ModelLimits(1000, 5.0))


def test_logits_become_probabilities(tmp_path: Path) -> None:
    """C9: rows that do not sum to 1 get a softmax; the answers are those of the uploaded file."""
    content = saved(a_model())
    found = check(content, tmp_path)
    scores = answers(content, images())
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert (found.head.form, found.head.range, found.head.softmax) == ("onnx", "0-255", True)
    np.testing.assert_allclose(found.p_NK, expected, atol=1e-6)
    np.testing.assert_array_equal(answers(found.content, images()), found.p_NK)
    assert check(content, tmp_path).content == found.content != content


def test_probabilities_stay_what_they_are(tmp_path: Path) -> None:
    """C9: no second softmax, and a batch of one becomes an open one."""
    model = a_model(PROBABILITIES, output="p", sizes=(1, 3, SIZE, SIZE), gives=(1, K), gain=3.0)
    found = check(saved(model), tmp_path, Claim(LABELS, SIZE, "0-1"))
    assert not found.head.softmax
    one_by_one = [answers(saved(model), image[None] / 255) for image in images()]
    np.testing.assert_allclose(found.p_NK, np.concatenate(one_by_one), atol=1e-6)


def test_an_answer_that_changes_is_refused_whatever_the_rules_say() -> None:
    """C9: the second answer is compared with the first, also of operators that no rule names."""
    model = read_model(drawn())
    form = Form(SIZE, LABELS, "0-255", softmax=False)
    with pytest.raises(ModelRefused, match="not_deterministic"):
        settle(model, Ends("image", "y"), form, np.stack(PIXELS))


def test_safetensors_do_not_say_what_they_take(tmp_path: Path) -> None:
    """C9: a range is never guessed where only the uploader knows it."""
    content = HOSTILE["safetensors"][0]
    with pytest.raises(ModelRefused, match="range_missing"):
        check(content, tmp_path)


def test_the_process_is_confined(tmp_path: Path) -> None:
    """C9: bounded memory, time and files, no handle more, no network, no core, no secret; one
    that is killed is a refusal.
    """
    os.environ["DAZZLE_CANARY"] = "secret"
    seen = {}
    refusals: list[str] = []

    def upload() -> None:
        try:
            check(endless(), tmp_path, limits=ModelLimits(64 << 20, 100.0))
        except ModelRefused as error:
            refusals.append(str(error))

    others = children()  # of Ray, which this test must leave alone
    thread = threading.Thread(target=upload)
    thread.start()
    try:
        while not (own_children := children() - others):
            pass
        (pid,) = own_children
        place = Path(f"/proc/{pid}")
        while "Max open files            0 " not in (limits := (place / "limits").read_text()):
            pass
        seen = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
        environment = (place / "environ").read_bytes()
        own, its = (Path(f"/proc/{one}/ns/net").readlink() for one in ("self", pid))
    finally:
        del os.environ["DAZZLE_CANARY"]
        for left in children() - others:
            os.kill(left, signal.SIGKILL)
        thread.join()
    assert seen["Max core file size"] == seen["Max processes"] == ["0", "0"]
    assert int(seen["Max address space"][0]) < 2 << 30
    assert int(seen["Max file size"][0]) < 64 << 20
    assert seen["Max cpu time"][0] != "unlimited"
    assert b"CANARY" not in environment and b"ORT_DISABLE_TELEMETRY=1" in environment
    assert "process_died" in refusals[0]
    if subprocess.run(["unshare", "-Un", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets no process leave its network")
    assert own != its


def test_no_connection_leaves_a_confined_process() -> None:
    """C9: not to this machine either, and no file is opened by a process that is confined."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = (
            "import socket, sys\n"
            "from cluster.storage.confined import confine, leave_network\n"
            "left = leave_network()\n"
            "try:\n"
            f"    socket.create_connection(('127.0.0.1', {port}), 5)\n"
            "    sys.exit('connected' if left else 77)\n"
            "except OSError: pass\n"
            "confine(1 << 30)\n"
            "for open_one in (lambda: socket.socket(), lambda: open('/dev/null')):\n"
            "    try: open_one()\n"
            "    except OSError as error: assert error.errno == 24\n"
            "    else: sys.exit('opened')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
    if done.returncode == 77:
        pytest.skip("this system lets no process leave its network")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_that_has_its_question_opens_nothing(tmp_path: Path) -> None:
    """C9: its input is closed by then, and still neither a file nor a socket can be opened."""
    code = (
        "import os, socket, sys\n"
        "from cluster.storage.model_process import prepare\n"
        "prepare()\n"
        "for open_one in (lambda: os.open('/dev/null', os.O_RDONLY), socket.socket, os.pipe,\n"
        "                 lambda: os.open('new', os.O_CREAT | os.O_RDWR)):\n"
        "    try: open_one()\n"
        "    except OSError as error: assert error.errno == 24\n"
        "    else: sys.exit('opened')\n"
        "for handle in (0, *range(3, 64)):\n"
        "    try: os.fstat(handle)\n"
        "    except OSError: pass\n"
        "    else: sys.exit(f'{handle} is open')\n"
        "os.write(1, b'nothing opened')\n"
    )
    question = Question(LABELS, SIZE, None, 4, 3 << 30, 1 << 20, 30.0, 1.0)
    asked = BytesIO()
    model_checker._ask(asked, question, PIXELS)
    done = subprocess.run(
        [sys.executable, "-c", code], input=asked.getvalue(), cwd=tmp_path, check=False,
        env=os.environ | NO_TELEMETRY | {"PYTHONPATH": str(ROOT)}, capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"nothing opened", b"")
    assert not list(tmp_path.glob("new"))


def test_an_answer_is_believed_in_its_form_only() -> None:
    """C9: what a process that was taken over could write is a refusal, or bounded."""
    question = Question(LABELS, SIZE, None, 4, 1 << 30, 20_000, 1.0, 1.0)
    head = json.dumps({"form": "onnx", "range": "0-255", "softmax": True}).encode()
    graph = saved(a_model())
    good = (head, graph, bytes(4 * K * 2))

    def read(*parts: bytes, lengths: tuple[int, ...] = ()) -> object:
        sizes = lengths or tuple(map(len, parts))
        content = b"".join(n.to_bytes(8, "big") for n in sizes) + b"".join(parts)
        return model_checker._read(BytesIO(content), question, 2)

    assert read(*good)
    for bad in (
        (b"", b"", b""),
        (b"[]", *good[1:]),
        (b"7", *good[1:]),
        (b'{"form": "onnx"}', *good[1:]),
        (b'{"refused": 1}', *good[1:]),
        (b'{"refused": [1, 2, 3, 4]}', *good[1:]),
        (head, graph, bytes(4 * K * 2 - 4)),
        (head, bytes(20_001), good[2]),
        (head, graph, bytes(4 * K * 3)),
    ):
        with pytest.raises(ModelRefused, match="process_died"):
            read(*bad)
    with pytest.raises(ModelRefused, match="process_died"):
        read(*good, lengths=(1 << 60, len(graph), 24))
    with pytest.raises(ModelRefused, match="process_died"):
        model_checker._read(BytesIO(b"\0" * 23), question, 2)
    for name, code in (
        ("external_data", "external_data"),
        ("operator_foreign", "operator_foreign"),
        ("pickle", "format_unknown"),
    ):
        content = next(one for one, its in HOSTILE.values() if its in {code, f"format_{name}"})
        with pytest.raises(ModelRefused, match=code):
            read(head, content, good[2])
