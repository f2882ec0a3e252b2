"""Receipts: signed by the receiver, so that ``delivered`` is shown only on its own word."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cluster.contracts.sharing import Receipt
from cluster.ids import canonical_json


def sign(receipt: Receipt, key: Ed25519PrivateKey) -> Receipt:
    """Return the receipt with the receiver's signature."""
    return receipt.model_copy(update={"signature": key.sign(_signed_part(receipt)).hex()})


def is_valid(receipt: Receipt, public_key: str, *, delivery_id: str, digest: str) -> bool:
    """Say whether a receipt is the peer's word about this delivery and these bytes."""
    if (receipt.delivery_id, receipt.digest) != (delivery_id, digest):
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(receipt.signature), _signed_part(receipt))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_part(receipt: Receipt) -> bytes:
    return canonical_json(receipt.model_dump(exclude={"signature"})).encode()
