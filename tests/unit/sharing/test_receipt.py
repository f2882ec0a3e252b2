"""Receipts: the receiver's word, and nobody else's."""

import pytest
from builders import a_receipt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cluster.contracts.sharing import Receipt
from cluster.sharing.receipt import is_valid, sign

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw().hex()
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)


def valid(receipt: Receipt, public_key: str = PUBLIC) -> bool:
    return is_valid(receipt, public_key, delivery_id="d1", digest="ab")


def test_a_signed_receipt_is_valid() -> None:
    """A11: what the receiver signed about this delivery and these bytes is believed."""
    receipt = sign(a_receipt(), KEY)
    assert valid(receipt)
    assert valid(Receipt.model_validate_json(receipt.model_dump_json()))


@pytest.mark.parametrize(
    "change",
    [
        {"delivery_id": "d2"},
        {"receiver": "north"},
        {"digest": "ac"},
        {"received_at": 5.1},
        {"signature": ""},
        {"signature": "zz"},
        {"signature": "00" * 64},
        {"signature": "00" * 63},
        {"signature": "é"},
    ],
)
def test_any_changed_field_makes_it_invalid(change: dict[str, object]) -> None:
    """A11: no field of a receipt can be changed, and garbage is no signature."""
    receipt = sign(a_receipt(), KEY)
    assert not valid(receipt.model_copy(update=change))


def test_every_field_is_signed() -> None:
    """A11: the list above leaves no field of a receipt out."""
    assert set(Receipt.model_fields) == {
        "delivery_id",
        "receiver",
        "digest",
        "received_at",
        "signature",
    }


@pytest.mark.parametrize("field", ["delivery_id", "digest"])
def test_a_receipt_of_another_delivery_does_not_count(field: str) -> None:
    """A11: a true receipt about other bytes or another delivery settles nothing."""
    assert not valid(sign(a_receipt(**{field: "else"}), KEY))


@pytest.mark.parametrize(
    "key", ["", "zz", "00", "é", OTHER.public_key().public_bytes_raw().hex(), "ff" * 32]
)
def test_only_the_receivers_key_checks(key: str) -> None:
    """A11: another's key, or what is no key, makes every receipt invalid."""
    assert not valid(sign(a_receipt(), KEY), key)
