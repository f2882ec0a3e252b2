"""Large files under their SHA-256, in a local folder or on any ``pyarrow.fs`` file system."""

from pathlib import Path

from pyarrow import fs

from cluster.errors import IntegrityError, NotFound
from cluster.ids import sha256
from cluster.settings import Settings
from cluster.storage.files import write_durably


class BlobStore:
    """Bytes that are named by their digest, so that writing one twice is one write."""

    def __init__(self, root: str, filesystem: fs.FileSystem | None = None) -> None:
        """Open a store.

        Args:
            root: a local folder, a URI such as ``s3://bucket/prefix``, or, where a file system
                is given, a path on it.
            filesystem: taken from the URI where it is left out.
        """
        if filesystem is None and "://" in root:
            filesystem, root = fs.FileSystem.from_uri(root)
        self._fs = filesystem or fs.LocalFileSystem()
        self._root = root.rstrip("/")

    @classmethod
    def of(cls, settings: Settings) -> "BlobStore":
        """Open the store of the settings: the URI, else a folder beside the ledgers."""
        return cls(settings.blob_uri or str(settings.data_dir / "blobs"))

    def _path(self, digest: str) -> str:
        return f"{self._root}/{digest[:2]}/{digest}"

    def local_path(self, digest: str) -> Path | None:
        """Return where a blob lies, or would, on this machine; None on another file system."""
        is_local = isinstance(self._fs, fs.LocalFileSystem)
        return Path(self._path(digest)) if is_local else None

    def put(self, content: bytes) -> str:
        """Store bytes durably and return their digest."""
        digest = sha256(content)
        path = self._path(digest)
        found = self._fs.get_file_info(path)
        if found.type == fs.FileType.File and found.size == len(content):
            return digest
        if isinstance(self._fs, fs.LocalFileSystem):
            write_durably(Path(path), content)
        else:
            self._fs.create_dir(path.rsplit("/", 1)[0], recursive=True)
            with self._fs.open_output_stream(path) as stream:
                stream.write(content)
        return digest

    def digests(self) -> list[str]:
        """Return the digests of all blobs, sorted."""
        everything = fs.FileSelector(self._root, allow_not_found=True, recursive=True)
        found = self._fs.get_file_info(everything)
        return sorted(
            info.base_name
            for info in found
            if info.type == fs.FileType.File and not info.base_name.startswith(".")
        )

    def has(self, digest: str) -> bool:
        """Say whether a blob is there."""
        found: fs.FileInfo = self._fs.get_file_info(self._path(digest))
        return found.type == fs.FileType.File

    def get(self, digest: str) -> bytes:
        """Read a blob and check it.

        Raises:
            NotFound: there is none of that digest.
            IntegrityError: its bytes have changed.
        """
        try:
            with self._fs.open_input_stream(self._path(digest)) as stream:
                content: bytes = stream.read()
        except FileNotFoundError:
            what = f"there is no blob {digest}"
            raise NotFound(what) from None
        if sha256(content) != digest:
            what = f"blob {digest} no longer matches its digest"
            raise IntegrityError(what, remedy="Restore it from a backup.")
        return content
