"""The same content has the same name; different content never shares one."""

import hashlib
import hmac

import pytest

from cluster.errors import InputError
from cluster.ids import canonical_json, checked_platform_id, key_of, pseudonym, sha256


def test_canonical_json_has_one_form() -> None:
    """A4: key order and white space do not count, text stays text, NaN is no JSON."""
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_sha256_takes_text_as_utf8() -> None:
    """A4: a text and its UTF-8 bytes have one digest."""
    assert sha256("é") == sha256("é".encode()) == hashlib.sha256("é".encode()).hexdigest()


def test_key_of_keeps_parts_apart() -> None:
    """A11: moving a character from one part to the next makes another key."""
    keys = [key_of("ab", "c"), key_of("a", "bc"), key_of("abc"), key_of("ab", "c", "")]
    assert len(set(keys)) == len(keys)
    assert key_of("1", 2) == key_of("1", 2)
    assert len(key_of("a")) == 32


def test_a_pseudonym_is_a_keyed_hash_of_its_parts() -> None:
    """A11: only who holds the secret can make a pseudonym again (HMAC-SHA256)."""
    reference = hmac.new(b"secret", b"2:ab1:c", hashlib.sha256).hexdigest()
    assert pseudonym(b"secret", "ab", "c") == reference[:24]
    assert pseudonym(b"other", "ab", "c") != pseudonym(b"secret", "ab", "c")
    assert pseudonym(b"secret", "a", "bc") != pseudonym(b"secret", "ab", "c")


@pytest.mark.parametrize("text", ["a", "0", "north-1", "a" * 63, "a-"])
def test_a_plain_platform_id_is_kept(text: str) -> None:
    """A1: letters, digits and hyphens name a platform."""
    assert checked_platform_id(text) == text


@pytest.mark.parametrize(
    "text", ["", "-a", "A", "a/b", "..", "a.b", "a b", "a\n", "é", "a" * 64, "a\0"]
)
def test_a_platform_id_is_safe_as_a_file_name(text: str) -> None:
    """A1 B9: nothing that could leave its folder or forge a name is a platform id."""
    with pytest.raises(InputError):
        checked_platform_id(text)
