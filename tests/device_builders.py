"""A tiny real image model, the public tree that lists it, and a server that can be made to fail."""

import hashlib
import io
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from bundle_builders import some_metrics
from onnx import TensorProto, helper
from PIL import Image

from cluster.contracts.disease import DiseaseAnswer
from cluster.contracts.image_models import (
    Bundle,
    BundleFile,
    Golden,
    ImageModelCard,
    LabelCard,
    ListedModel,
    ModelList,
    Preprocessing,
    StartingWeights,
    Variant,
    VariantName,
)
from cluster.contracts.related import NetworkCases
from cluster.ids import sha256
from cluster.images.resize import model_pixels
from cluster.models.bundle import bundle_bytes, version_of

SIZE = 32
LABELS = ("red", "green", "normal")
DISEASE = "MONDO:0005249"
OUTSIDE_ABOVE = 1.3
COLOURS = {"red": (220, 30, 30), "green": (30, 220, 30), "normal": (30, 30, 220)}
WHITE = (245, 245, 245)


def a_graph(scale: float = 8.0, size: int = SIZE, padding: int = 0) -> bytes:
    """The mean colour decides; its distance from grey is the distance. Padding makes it larger."""
    weights = [
        helper.make_tensor("axes_xy", TensorProto.INT64, [2], [2, 3]),
        helper.make_tensor("axes_c", TensorProto.INT64, [1], [1]),
        helper.make_tensor("full", TensorProto.FLOAT, [], [255.0]),
        helper.make_tensor("grey", TensorProto.FLOAT, [], [0.5]),
        helper.make_tensor("w", TensorProto.FLOAT, [3, 3], (np.eye(3) * scale).ravel().tolist()),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes_xy"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "full"], ["share"]),
        helper.make_node("Gemm", ["share", "w"], ["score"]),
        helper.make_node("Softmax", ["score"], ["prob"], axis=1),
        helper.make_node("Sub", ["share", "grey"], ["apart"]),
        helper.make_node("Abs", ["apart"], ["far"]),
        helper.make_node("ReduceSum", ["far", "axes_c"], ["distance"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, size, size])],
        [
            helper.make_tensor_value_info("prob", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("distance", TensorProto.FLOAT, ["batch"]),
        ],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    model.doc_string = "-" * padding
    return model.SerializeToString()


def a_picture_of(colour: tuple[int, int, int], seed: int = 0, size: Any = (80, 72)) -> Image.Image:
    """A smooth picture, nearly of one colour."""
    noise = np.random.default_rng(seed).integers(-9, 10, (8, 8, 3))
    small = (np.asarray(colour) + noise).clip(0, 255).astype(np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def a_golden(label: str = "red", **changes: Any) -> tuple[Golden, bytes]:
    """A golden image of a class, with what numpy says that the graph must give."""
    image = a_picture_of(COLOURS[label], 7)
    pixels = model_pixels(image, SIZE)
    share = pixels.astype(np.float64).mean(axis=(0, 1)) / 255
    powers = np.exp(share * 8.0)
    content = png(image)
    golden = Golden(
        file=f"golden-{label}.png",
        sha256=sha256(content),
        tensor_sha256=sha256(pixels.tobytes()),
        probabilities=tuple((powers / powers.sum()).tolist()),
        distance=float(np.abs(share - 0.5).sum()),
    )
    return golden.model_copy(update=changes), content


def a_bundle(
    name: str = "colours", padding: int = 0, graph: bytes = b"", **golden: Any
) -> tuple[Bundle, dict[str, bytes]]:
    """A bundle and its files by digest; fp32 and int8 differ in their padding alone."""
    contents = {
        "model-fp32.onnx": graph or a_graph(padding=padding),
        "model-int8.onnx": graph or a_graph(padding=padding + 8),
    }
    expected, image = a_golden(**golden)
    contents[expected.file] = image
    names: dict[VariantName, str] = {"fp32": "model-fp32.onnx", "int8": "model-int8.onnx"}
    bundle = Bundle(
        name=name,
        labels=tuple(
            LabelCard(label=one, disease_id=DISEASE if one == "red" else "", disease_name="redness")
            if one == "red"
            else LabelCard(label=one)
            for one in LABELS
        ),
        preprocessing=Preprocessing(size=SIZE),
        variants=tuple(
            Variant(
                name=kind,
                sha256=sha256(contents[file]),
                size=len(contents[file]),
                outside_above=OUTSIDE_ABOVE,
            )
            for kind, file in names.items()
        ),
        golden=(expected,),
        files=tuple(
            BundleFile(name=file, sha256=sha256(content), size=len(content))
            for file, content in sorted(contents.items())
        ),
        card=ImageModelCard(
            name=name,
            made_at=0.0,
            made_by="test",
            intended_use="tests",
            licence="Apache-2.0",
            changelog="first",
            backbone="none",
            weights=StartingWeights(name="none", origin="made by hand"),
            metrics=some_metrics(LABELS),
        ),
    )
    files = {sha256(content): content for content in contents.values()}
    return bundle, files | {version_of(bundle): bundle_bytes(bundle)}


def listed(bundle: Bundle, **changes: Any) -> ListedModel:
    fields: dict[str, Any] = {
        "name": bundle.name,
        "version": version_of(bundle),
        "number": 1,
        "state": "published",
        "serving": True,
        "listed_at": 0.0,
        "labels": bundle.label_names,
        "diseases": (DISEASE,),
        "disease_names": ("redness",),
        "backbone": "none",
        "sizes": {one.name: one.size for one in bundle.variants},
        "made_by": "test",
        "accuracy": 0.9,
    }
    return ListedModel(**fields | changes)


def an_answer(**changes: Any) -> DiseaseAnswer:
    """Y of a disease whose treatment is that of the disease above it."""
    fields: dict[str, Any] = {
        "query": DISEASE,
        "match": {"disease_id": DISEASE, "name": "redness", "how": "code", "matched": DISEASE},
        "alike": 0,
        "others": (),
        "disease_id": DISEASE,
        "name": "redness",
        "synonyms": ("rubor",),
        "kind": "",
        "status": (),
        "codes": (),
        "definitions": ({"text": "Being [bold]red\x1b[2J.", "source": "Book", "date": "2020"},),
        "onset": (),
        "inheritance": (),
        "treatments": (
            {"action": "cooling", "relation": "treats", "source": "PMID:1", "date": "2021-02-03"},
        ),
        "treatment_texts": (),
        "from_parent": ({"disease_id": "MONDO:0000001", "name": "colour"},),
        "information": (),
        "frequency": (),
        "prevention": (),
        "resources": (),
        "references": ({"id": "PMID:1", "url": "https://pubmed.ncbi.nlm.nih.gov/1/"},),
        "notice": "Reference material.",
        "data_set": {"name": "table", "digest": "0" * 64, "loaded_on": "2026-01-01", "demo": False},
    }
    return DiseaseAnswer(**fields | changes)


def some_cases(**changes: Any) -> NetworkCases:
    """What north is told: two of south's three rare cases, none of its own, and east is silent."""
    items = [
        {
            "item_id": name,
            "kind": "case",
            "title": "redness",
            "score": 1.0,
            "why": f"same {DISEASE}",
        }
        for name in ("case-a", "case-b")
    ]
    fields: dict[str, Any] = {
        "question": {"disease_id": DISEASE, "name": "redness", "codes": (DISEASE, "ORPHA:558")},
        "found": {
            "north": {"items": (), "rare": 0, "others": 2},
            "south": {"items": items, "rare": 3, "others": 0},
        },
        "unanswered": {"east": "it is away"},
    }
    return NetworkCases(**fields | changes)


def write_cases(folder: Path, content: str | bytes, platform: str = "north") -> None:
    """Have a server of this folder answer a platform's questions for rare cases."""
    path = folder / "platforms" / platform / "rare-cases"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def write_public(
    folder: Path, models: Sequence[ListedModel], *files: dict[str, bytes], made_at: float = 0.0
) -> Path:
    """Write the public tree, as the registry does."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    (folder / "answers").mkdir(exist_ok=True)
    for one in files:
        for digest, content in one.items():
            (folder / "files" / digest).write_bytes(content)
    name = DISEASE.replace(":", "_")
    (folder / "answers" / f"{name}.json").write_text(an_answer().model_dump_json())
    content = ModelList(made_at=made_at, models=tuple(models)).model_dump_json(indent=1)
    (folder / "models.json").write_text(content)
    return folder


@dataclass
class Serving:
    """A server of a folder that may cut, refuse, or pass over what it is asked."""

    folder: Path
    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of each request."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next bodies end, one for each request of a file or of rare cases."""
    ranges: bool = True
    """Whether it answers a Range with a part."""
    tag: str = ""
    """An ETag for all, else that of the content."""
    status: int = 0
    """A status for all that ``refuses`` is in the path of."""
    refuses: str = ""
    told: dict[str, str] = field(default_factory=dict)
    """Headers that go with the status."""
    token: str = ""

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        self.asked.append((path, headers))
        if self.status and self.refuses in path:
            return self.status, self.told, b""
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            return 401, {}, b""
        file = self.folder / path.partition("?")[0].lstrip("/")
        if not file.is_file():
            return 404, {}, b""
        content = file.read_bytes()
        tag = self.tag or f'"{hashlib.sha256(content).hexdigest()[:8]}"'
        if headers.get("if-none-match") == tag:
            return 304, {"ETag": tag}, b""
        wanted = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if wanted and self.ranges and headers.get("if-range", tag) == tag:
            start = int(wanted[1])
            if start >= len(content):
                return 416, {"Content-Range": f"bytes */{len(content)}"}, b""
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return 206, {"ETag": tag, "Content-Range": span}, content[start:]
        return 200, {"ETag": tag}, content


@contextmanager
def serving(folder: Path) -> Iterator[Serving]:
    """Serve a folder on a free port of this machine."""
    state = Serving(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, body = state.answer(self.path, headers)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            is_cut = bool(state.cuts and body) and re.search("/files/|/rare-cases", self.path)
            self.wfile.write(body[: state.cuts.pop(0)] if is_cut else body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
