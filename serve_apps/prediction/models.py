"""Trend models in the memory of a replica: each version is read once."""

import asyncio
from collections import OrderedDict
from typing import Final

from cluster.errors import ModelNotReady, NotFound
from cluster.storage.blobs import BlobStore
from cluster.trend.artefact import load
from cluster.trend.platform_model import PlatformModel

MODELS_IN_MEMORY: Final = 4


class Models:
    """The models that were asked last."""

    def __init__(self, blobs: BlobStore) -> None:
        """Name the store that they are read from."""
        self._blobs = blobs
        self._kept: OrderedDict[str, PlatformModel] = OrderedDict()
        self._reading = asyncio.Lock()

    async def get(self, version: str) -> PlatformModel:
        """Return a model, read from the blob store when it is first asked.

        Raises:
            ModelNotReady: its file is not there.
            IntegrityError: its file is damaged, or of another version of Dazzle.
        """
        if version not in self._kept:
            async with self._reading:
                if version not in self._kept:
                    self._kept[version] = await asyncio.to_thread(self._read, version)
            while len(self._kept) > MODELS_IN_MEMORY:
                self._kept.popitem(last=False)
        self._kept.move_to_end(version)
        return self._kept[version]

    def _read(self, version: str) -> PlatformModel:
        try:
            content = self._blobs.get(version)
        except NotFound:
            what = "the file of the model is not in the blob store"
            raise ModelNotReady(what, version, "Restore it from a backup.") from None
        return PlatformModel.of(load(content))
