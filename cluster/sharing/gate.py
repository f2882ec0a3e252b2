"""The gate: everything that must be true at the moment a case leaves; deny by default (S910)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GateFacts:
    """What the gate looks at, read in the transaction that claims the delivery."""

    case_is_active: bool
    consent_is_given: bool
    peer_is_linked: bool
    peer_has_agreement: bool
    peer_has_key: bool
    decision_is_upload: bool
    payload_is_redacted: bool
    """The payload's digest is the one that the redaction made."""


REASONS = {
    "case_is_active": "case_not_active",
    "consent_is_given": "consent_missing",
    "peer_is_linked": "peer_not_linked",
    "peer_has_agreement": "agreement_missing",
    "peer_has_key": "peer_key_missing",
    "decision_is_upload": "decision_missing",
    "payload_is_redacted": "redaction_missing",
}


CASE_REASONS = ("case_not_active", "consent_missing")
"""Denials that end when the case may be shared."""
PEER_REASONS = ("peer_not_linked", "agreement_missing", "peer_key_missing")
"""Denials that end when the network changes."""


def denial(facts: GateFacts) -> str:
    """Return the code of the first thing that is not true; an empty text opens the gate."""
    return next((code for name, code in REASONS.items() if not getattr(facts, name)), "")
