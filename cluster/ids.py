"""Digests and keys: the same content gives the same name, everywhere and at every try."""

import hashlib
import hmac
import json
import re

from cluster.errors import InputError

PLATFORM_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def canonical_json(content: object) -> str:
    """Write JSON in one form only: sorted keys, no white space, no NaN."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256(content: bytes | str) -> str:
    """Return the SHA-256 of bytes, or of text in UTF-8, in hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def key_of(*parts: str | int | float) -> str:
    """Name one piece of work by what it is about; the length prefix keeps parts apart."""
    text = "".join(f"{len(part)}:{part}" for part in map(str, parts))
    return sha256(text)[:32]


def pseudonym(secret: bytes, *parts: str) -> str:
    """Return a keyed name that only the holder of the secret can recompute (HMAC-SHA256)."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:24]


def checked_platform_id(text: str) -> str:
    """Return a platform id that is safe as a file name and an actor name.

    Raises:
        InputError: it is not 1 to 63 of ``a-z0-9-``, starting with a letter or digit.
    """
    if not PLATFORM_ID.fullmatch(text):
        what = f"platform id {text[:80]!r} is not allowed"
        raise InputError(what, remedy="Use 1 to 63 of a-z, 0-9 and '-', not '-' first.")
    return text
