"""Whatever operators and trainers do, in whatever order, the list says what the ledger says."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import get_args

from bundle_builders import check_folder, opened, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.image_registry import ImageRegistry
from cluster.contracts.image_models import ModelList, State
from cluster.errors import Conflict, NotFound
from cluster.storage.blobs import BlobStore

QUICK = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a sync costs nothing, for there are hundreds."""
NAMES = ("lungs", "blood")
STEPS = st.tuples(
    st.sampled_from(["publish", "upload", "accept", "refuse", "retire", "serve", "restart"]),
    st.sampled_from(NAMES),
    st.integers(1, 2),
)


def take(service: ImageRegistry, blobs: BlobStore, what: str, name: str, n: int) -> None:
    """Do one thing; what its state does not allow is refused."""
    if what in {"publish", "upload"}:
        content = stored(blobs, name, str(n))
        service.publish_images(content, "test", pending=what == "upload")
        return
    verb = getattr(service, f"{what}_image")
    with suppress(Conflict, NotFound):
        verb(name, str(n), "operator", "why")


def check_list(models: ModelList) -> None:
    """Check what holds of every list."""
    for name in NAMES:
        own = [one for one in models.models if one.name == name]
        assert [one.number for one in own] == list(range(1, len(own) + 1))
        assert [one.parent for one in own] == ["", *(one.version for one in own)][: len(own)]
        serving = [one for one in own if one.serving]
        assert len(serving) <= 1 and all(one.state == "published" for one in serving)
        untouched = own and all(one.state in {"published", "pending"} for one in own)
        if untouched and any(one.state == "published" for one in own):
            assert serving  # only a retirement can leave a name without one


@settings(max_examples=15)
@given(st.lists(STEPS, min_size=8, max_size=12))
def test_the_list_follows_from_the_ledger(steps: list[tuple[str, str, int]]) -> None:
    """C4 C9 C11: what serves is published; folder and list are those of the ledger, also after a
    restart; each change is in the history, once.
    """
    with tempfile.TemporaryDirectory(dir=QUICK) as folder:
        data_dir = Path(folder)
        blobs = BlobStore(str(data_dir / "blobs"))
        service = opened(data_dir)
        for what, name, n in steps:
            before = service.model_list(states=get_args(State))
            lines = service.image_history()
            if what == "restart":
                service.close()
                service = opened(data_dir)
            else:
                take(service, blobs, what, name, n)
            models = service.model_list(states=get_args(State))
            check_list(models)
            if models.models:
                check_folder(service, data_dir)
            added = service.image_history()[len(lines) :]
            assert len(added) == (models.models != before.models)
            assert all(one.by in {"test", "operator"} for one in added)
        service.close()
