"""Pages of lists: ``after`` is the ``next`` of the page before."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Annotated, Final, TypeVar

from fastapi import Query
from pydantic import Field

from cluster.authorisation.tokens import TokenCard
from cluster.contracts.message import Frozen
from cluster.contracts.share import PlatformFilter

T = TypeVar("T")
LIMIT: Final = 50
Limit = Annotated[int, Query(ge=1, le=200, description="rows of a page")]
After = Annotated[str, Query(max_length=255, description="`next` of the page before")]


class PageAsked(Frozen):
    """Which page of a list."""

    after: str = Field("", max_length=255, description="`next` of the page before")
    limit: int = Field(LIMIT, ge=1, le=200, description="rows of a page")

    def chosen_rows(self) -> dict[str, str]:
        """Return what rows are asked for, by name; what is empty may be anything."""
        return self.model_dump(exclude={*PageAsked.model_fields})


class PlatformsAsked(PlatformFilter, PageAsked):
    """A page of the platforms that have some facets."""


class OutboxAsked(PageAsked):
    """A page of the deliveries that are as asked for; what is empty may be anything."""

    state: str = Field("", max_length=20)
    peer: str = Field("", max_length=63)
    kind: str = Field("", max_length=20)
    case_id: str = Field("", max_length=255)
    disease_id: str = Field("", max_length=255)


class InboxAsked(PageAsked):
    """A page of what was received, as asked for; what is empty may be anything."""

    sender: str = Field("", max_length=63)
    kind: str = Field("", max_length=20)
    case_id: str = Field("", max_length=255)
    disease_id: str = Field("", max_length=255)


class TokenPage(Frozen):
    """A part of the list of tokens."""

    tokens: tuple[TokenCard, ...]
    next: str | None
    """Cursor of the next page; null at the end."""


def page_of(
    rows: Iterable[T], key: Callable[[T], str], after: str, limit: int
) -> tuple[tuple[T, ...], str | None]:
    """Return the rows of a page, by a key that each has alone, and the cursor of the next page."""
    later = sorted((row for row in rows if key(row) > after), key=key)
    shown = tuple(islice(later, limit))
    return shown, key(shown[-1]) if len(later) > limit else None
