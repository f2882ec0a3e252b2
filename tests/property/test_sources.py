"""Sources: any bytes under any suffix are records or findings, and lines come back whole."""

import gzip
import io
import tempfile
import zipfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.contracts.ingest import Finding, Source
from cluster.ingest.intake import Record
from cluster.storage.sources import read_records

lines = st.lists(
    st.binary(min_size=1, max_size=30).filter(lambda line: line.strip() and b"\n" not in line),
    min_size=1,
    max_size=10,
)


def read(name: str, content: bytes) -> list[Record | Finding]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return list(read_records(Source(files=(str(path),))))


def packed(name: str, content: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(content)
    if name.endswith(".zip"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("member.jsonl", content)
        return buffer.getvalue()
    return content


names = st.sampled_from(["a.jsonl", "a.jsonl.gz", "a.zip"])


@settings(max_examples=60)
@given(names, lines, st.booleans())
def test_every_line_is_a_record_in_order(name: str, given: list[bytes], ended: bool) -> None:
    """B1: whatever the wrapping, each line comes back once, whole, with its number."""
    found = read(name, packed(name, b"\n".join(given) + b"\n" * ended))
    records = [one for one in found if isinstance(one, Record)]
    assert [one.content.rstrip(b"\n") for one in records] == given
    assert [one.line for one in records] == list(range(1, len(given) + 1))
    assert len(records) == len(found)


@settings(max_examples=150)
@given(names | st.just("a.json"), lines, st.data())
def test_damage_never_escapes(name: str, given: list[bytes], data: st.DataObject) -> None:
    """B1 B9: bytes changed or cut anywhere make findings, never another error."""
    content = bytearray(packed(name, b"\n".join(given)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for one in read(name, bytes(content[:cut])):
        assert isinstance(one, Record) or one.level == "refused"
