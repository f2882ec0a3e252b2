"""A platform's secrets: the pseudonym key and the key that signs receipts; made once, 0600."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cluster.storage.files import write_durably

SECRET_BYTES = 32


@dataclass(frozen=True, repr=False)
class PlatformKeys:
    """Secrets that never leave the platform's folder."""

    pseudonym_key: bytes
    signing_key: Ed25519PrivateKey

    @property
    def public_key(self) -> str:
        """The key that checks this platform's receipts, in hexadecimal."""
        return self.signing_key.public_key().public_bytes_raw().hex()


def load_keys(folder: Path) -> PlatformKeys:
    """Read the platform's keys, making random ones the first time."""
    pseudonym_key = _secret(folder / "pseudonym.key")
    signing_key = _secret(folder / "signing.key")
    return PlatformKeys(pseudonym_key, Ed25519PrivateKey.from_private_bytes(signing_key))


def load_token_key(data_dir: Path) -> bytes:
    """Read the key under which the digests of tokens are made, a random one the first time."""
    return _secret(token_key_path(data_dir))


def token_key_path(data_dir: Path) -> Path:
    """Return where the network's actor, and nobody else, keeps that key."""
    return data_dir / "network" / "token.key"


def _secret(path: Path) -> bytes:
    if not path.exists():
        write_durably(path, os.urandom(SECRET_BYTES), mode=0o600)
    return path.read_bytes()
