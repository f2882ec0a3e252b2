"""How long a piece of work takes."""

import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """Do a piece of work once, and return the seconds that it took."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
