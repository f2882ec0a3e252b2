"""Blobs over the S3 protocol, against a local server that speaks it."""

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from cluster.errors import IntegrityError, NotFound
from cluster.settings import load_settings
from cluster.storage.blobs import BlobStore

BUCKET = "models"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A local S3 with an empty bucket; its address."""
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3 = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    yield f"{host}:{port}"
    server.stop()


def test_the_same_code_stores_on_s3(endpoint: str) -> None:
    """B3: a URI in the settings is all that changes; digests are checked there too."""
    uri = f"s3://{BUCKET}/dazzle?endpoint_override={endpoint}&scheme=http&region=us-east-1"
    store = BlobStore.of(load_settings({"blob_uri": uri}))
    digest = store.put(b"model")
    assert store.put(b"model") == digest
    assert BlobStore.of(load_settings({"blob_uri": uri})).get(digest) == b"model"
    assert store.digests() == [digest]
    with pytest.raises(NotFound):
        store.get("0" * 64)
    _overwrite(endpoint, digest)
    with pytest.raises(IntegrityError):
        store.get(digest)


def _overwrite(endpoint: str, digest: str) -> None:
    import boto3

    s3 = boto3.client("s3", endpoint_url=f"http://{endpoint}", region_name="us-east-1")
    s3.put_object(Bucket=BUCKET, Key=f"dazzle/{digest[:2]}/{digest}", Body=b"changed")
