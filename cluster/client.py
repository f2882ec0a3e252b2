"""A thin client of the services over HTTP (A4-A12, C8); it needs neither Ray nor a cluster.

    with Services("http://127.0.0.1:8000", token) as dazzle:
        dazzle.add_case("platform-1", phenopacket, consent="share")
        hits = dazzle.search("platform-1", terms=["HP:0001250"])["hits"]

Answers are JSON as the OpenAPI description has it; lists that come in pages are iterators. A call
that may be repeated is repeated where the service is busy or away: a case is added under a key.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import httpx

Json = dict[str, Any]
BUSY: Final = frozenset({429, 502, 503})
WAIT_S: Final = 1.0
"""Before the first repeat, where the service names no time; then it doubles."""
EVENTS_AT_ONCE: Final = 1000
PAGE: Final = 200
FHIR: Final = "application/fhir+json"
JSON: Final = "application/json"


class ServiceProblem(Exception):
    """A problem as the service told it; ``code`` is stable, docs/errors has a page for each."""

    def __init__(self, status: int, told: Mapping[str, Any]) -> None:
        """Keep what was told.

        Args:
            status: of HTTP.
            told: problem+json; anything else is an unnamed problem.
        """
        self.status, self.told = status, dict(told)
        self.code = str(told.get("code", "error"))
        parts = (told.get("title", f"HTTP {status}"), told.get("where"), told.get("remedy"))
        super().__init__(": ".join([self.code, *(str(part) for part in parts if part)]))


class Services:
    """The services at one address, for one token."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        repeats: int = 3,
        timeout_s: float = 60.0,
        wait: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Name the services; nothing is called yet.

        Args:
            url: without a path, as ``https://dazzle.example``.
            token: ``kid.secret``; empty for what is public.
            repeats: of a call that found the service busy or away.
            timeout_s: of one call.
            wait: waits for seconds.
            transport: of httpx, where it is not the network.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=timeout_s, transport=transport
        )
        self._repeats, self._wait = repeats, wait

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._http.close()

    # --- any route --------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        *,
        repeat: bool | None = None,
        **asked: Any,  # noqa: ANN401 - as httpx takes them
    ) -> Any:  # noqa: ANN401 - JSON
        """Call a route, and return its JSON; None where it answers nothing.

        Args:
            method: of HTTP.
            path: with the application, as ``/share/v1/platforms``.
            repeat: whether it may be called twice; by default all but POST.
            asked: ``params``, ``json``, ``content`` and ``headers`` of httpx.

        Raises:
            ServiceProblem: the service refused it, or was busy at every repeat.
            httpx.TransportError: the service was away at every repeat.
        """
        left = self._repeats if (method != "POST" if repeat is None else repeat) else 0
        pause = WAIT_S
        while True:
            try:
                response = self._http.request(method, path, **asked)
            except httpx.TransportError:
                if not left:
                    raise
            else:
                if response.is_success:
                    return response.json() if response.content else None
                if response.status_code not in BUSY or not left:
                    raise ServiceProblem(response.status_code, _told(response))
                pause = max(pause, _seconds(response))
            self._wait(pause)
            left, pause = left - 1, 2 * pause

    def rows(self, path: str, name: str, **chosen: object) -> Iterator[Json]:
        """Go through a list, page by page.

        Args:
            path: of the list.
            name: of its rows in the answer.
            chosen: filters.
        """
        after: str | None = ""
        while after is not None:
            page: Json = self.call("GET", path, params={**chosen, "after": after, "limit": PAGE})
            yield from page[name]
            after = page["next"]

    # --- sharing ----------------------------------------------------------------------------

    def platforms(self, **facets: str) -> Iterator[Json]:
        """Go through the platforms that have some facets."""
        return self.rows("/share/v1/platforms", "platforms", **facets)

    def put_platform(self, platform: str, **said: object) -> Json:
        """Register a platform, or say anew what it is (S100)."""
        return self._put(_of(platform), said)

    def add_case(
        self,
        platform: str,
        case: Mapping[str, Any],
        *,
        consent: Literal["share", "private"] = "private",
        key: str = "",
    ) -> Json:
        """Add a phenopacket or a FHIR Bundle; it is durable when this returns (S400).

        Args:
            platform: whose case it is.
            case: either form.
            consent: of a new case.
            key: names the command for whoever repeats it in another process; else drawn.
        """
        kind = FHIR if case.get("resourceType") == "Bundle" else JSON
        headers = {"Content-Type": kind, "Idempotency-Key": key or uuid.uuid4().hex}
        asked: Json = {"params": {"consent": consent}, "json": case, "headers": headers}
        added: Json = self.call("POST", _of(platform, "cases"), repeat=True, **asked)
        return added

    def case(self, platform: str, case_id: str, *, fhir: bool = False) -> Json:
        """Get a case, or its FHIR Bundle; the service notes who read it."""
        headers = {"Accept": FHIR if fhir else JSON}
        found: Json = self.call("GET", _of(platform, "cases", case_id), headers=headers)
        return found

    def cases(self, platform: str) -> Iterator[Json]:
        """Go through the cases of a platform."""
        return self.rows(_of(platform, "cases"), "cases")

    def set_consent(self, platform: str, case_id: str, *, state: str, consent: str) -> None:
        """Say whether a case is active and may be shared; what was sent is taken back if not."""
        self._put(_of(platform, "cases", case_id, "consent"), {"state": state, "consent": consent})

    def related(self, platform: str, case_id: str) -> list[Json]:
        """Get what is kept beside a case (S1040)."""
        found: list[Json] = self.call("GET", _of(platform, "cases", case_id, "related"))
        return found

    def search(self, platform: str, **query: object) -> Json:
        """Search a platform (S400)."""
        return self._ask(_of(platform, "search"), query)

    def network_search(self, platform: str, **query: object) -> Json:
        """Search several platforms; each has its state in the answer."""
        return self._ask(_of(platform, "network-search"), query)

    def record_events(self, platform: str, events: Iterable[Mapping[str, Any]]) -> Iterator[Json]:
        """Record accesses, a thousand a call; returns how each call was taken (S500).

        An event counts once, so a call that got no answer is repeated.
        """
        left = iter(events)
        while batch := list(islice(left, EVENTS_AT_ONCE)):
            yield self._ask(_of(platform, "events"), {"events": batch})

    def rarity(self, platform: str) -> Json:
        """Get the newest screening (S310)."""
        found: Json = self.call("GET", _of(platform, "rarity"))
        return found

    def decisions(self, platform: str, **chosen: object) -> Iterator[Json]:
        """Go through the decisions, the first ones first (S800)."""
        return self.rows(_of(platform, "decisions"), "decisions", **chosen)

    def deliveries(self, platform: str, **chosen: object) -> Iterator[Json]:
        """Go through the outbox (S900)."""
        return self.rows(_of(platform, "deliveries"), "deliveries", **chosen)

    def inbox(self, platform: str, **chosen: object) -> Iterator[Json]:
        """Go through what was received, the last first (S1000)."""
        return self.rows(_of(platform, "inbox"), "received", **chosen)

    # --- prediction and diagnosis -----------------------------------------------------------

    def indexes(self, **counted: object) -> Json:
        """Predict from counts (S700)."""
        return self._ask("/prediction/v1/indexes", counted)

    def case_indexes(self, platform: str, **asked: object) -> Json:
        """Predict for cases of a platform, with lineage (S700)."""
        return self._ask(f"/prediction/v1/platforms/{platform}/indexes", asked)

    def diseases(self, query: str) -> Json:
        """Look a disease up by code or name (C8)."""
        found: Json = self.call("GET", "/diagnosis/v1/diseases", params={"query": query})
        return found

    def image_models(self, **chosen: str) -> Json:
        """Get the list L (C4)."""
        found: Json = self.call("GET", "/diagnosis/v1/models", params=chosen)
        return found

    def answer(self, result: Mapping[str, Any]) -> Json:
        """Send a result R, and get the answer Y (C8)."""
        return self._ask("/diagnosis/v1/results", dict(result))

    def put_image_set(self, name: str, file: Path) -> Json:
        """Upload a zip with a folder for each class; returns the report on it (C1)."""
        with file.open("rb") as content:  # read as it is sent, so it cannot be sent again
            headers = {"Content-Type": "application/zip"}
            path = f"/diagnosis/v1/image-sets/{name}"
            report: Json = self.call("PUT", path, repeat=False, content=content, headers=headers)
        return report

    def _ask(self, path: str, body: Mapping[str, Any]) -> Json:
        """POST what changes nothing, or nothing twice."""
        answer: Json = self.call("POST", path, repeat=True, json=dict(body))
        return answer

    def _put(self, path: str, body: Mapping[str, Any]) -> Json:
        answer: Json = self.call("PUT", path, json=dict(body))
        return answer


def _of(platform: str, *rest: str) -> str:
    return "/".join(["/share/v1/platforms", *(quote(part, safe="") for part in (platform, *rest))])


def _told(response: httpx.Response) -> Mapping[str, Any]:
    try:
        told = response.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(response: httpx.Response) -> float:
    """Return how long the service asks to wait; 0 where it names no seconds."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0
