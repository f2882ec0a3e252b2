"""Access events: who looked at or used which case, where and when (S500)."""

from typing import Any, Final

import pyarrow as pa

CLICKS: Final = ("view", "open")
USAGES: Final = ("forward", "share", "download", "cite")
KINDS: Final = CLICKS + USAGES
TRANSMISSIONS: Final = ("forward", "share", "download")
"""The usages that pass a case on, and so make its transmission path (S510)."""

_FIELDS: Final[list["pa.Field[Any]"]] = [
    pa.field("event_id", pa.string(), nullable=False),  # given by the caller, unique
    pa.field("case_id", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),  # one of KINDS
    pa.field("at", pa.float64(), nullable=False),  # event time, seconds since the epoch, UTC
    pa.field("platform", pa.string(), nullable=False),  # where it happened
    pa.field("user", pa.string(), nullable=False),  # pseudonym of who did it
    pa.field("parent_id", pa.string()),  # a click: the transmission that exposed the case, or
    # null (found without one); a usage: the click it came from
]

EVENTS: Final = pa.schema(_FIELDS)
