"""In which of its forms an answer is wanted: the header ``Accept`` (RFC 9110, 12.5.1)."""

import re
from collections.abc import Sequence
from typing import Final

WEIGHT: Final = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
UNNAMED: Final = 1e-4
"""Of a form that the caller names in no way: below the smallest weight, but not refused."""


def chosen(accept: str, offered: Sequence[str]) -> str | None:
    """Return the form that is wanted most, or nothing where each has the weight 0.

    What a caller does not mention is not refused: one form is better than no answer. Of equal
    weights the one that is named first counts, then the one that is offered first.

    Args:
        accept: media ranges with their weights, between commas.
        offered: media types without parameters.
    """
    ranges: dict[str, tuple[float, int]] = {}
    for place, text in enumerate(accept.lower().split(",")):
        name, *parameters = (part.strip() for part in text.split(";"))
        told = [one[2:] for one in parameters if one.startswith("q=")]
        weight = told[0] if told else "1"
        if WEIGHT.fullmatch(weight):
            ranges.setdefault(name, (float(weight), -place))

    def wanted(form: str) -> tuple[float, int]:
        kinds = (form, f"{form.partition('/')[0]}/*", "*/*")
        return next((ranges[kind] for kind in kinds if kind in ranges), (UNNAMED, 0))

    best = max(offered, key=wanted)
    return best if wanted(best)[0] else None
