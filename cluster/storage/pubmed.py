"""PubMed as a source of literature, through NCBI's E-utilities (esearch and esummary, JSON).

What leaves: words of a disease's published name and gene symbols; with every call the name of this
program, the operator's address and, where there is one, the key. They go in the body of a POST, so
that no log of addresses has them. Three calls a second, ten with a key (NCBI's rule).
"""

import html
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import httpx
import stamina
from pydantic import SecretStr

from cluster.case.codes import is_symbol
from cluster.clock import Clock, SystemClock
from cluster.contracts.related import LiteratureAnswer, LiteratureQuery, Publication
from cluster.retrieval.literature import PUBMED, Corpus, LiteratureSource, words_of
from cluster.settings import Settings, is_loopback
from cluster.storage.literature import FileSource, plain

TOOL: Final = "dazzle"
CALLS_PER_S: Final = 3.0
CALLS_PER_S_WITH_KEY: Final = 10.0
SUMMARIES_AT_ONCE: Final = 200
WORDS_MAX: Final = 12
BODY_BYTES_MAX: Final = 5 << 20
TIMEOUT_S: Final = 20.0
ATTEMPTS: Final = 4
RETRY_AFTER_MAX_S: Final = 60.0
"""A server that wants a longer pause is asked again at the next refresh."""
LATE: Final = "no answer in time"
NOT_JSON: Final = "the answer is not JSON"
TOO_LONG: Final = f"the answer is over {BODY_BYTES_MAX} bytes"
FIELD: Final = "[Title/Abstract]"
GENE_WORDS: Final = " OR ".join(f"{word}{FIELD}" for word in ("gene", "mutation", "variant"))
FAILURES_MAX: Final = 3
"""Searches that may fail in a row, each after all its tries, before PubMed is left alone."""
BARE_PMID: Final = re.compile(r"[1-9][0-9]{0,8}")
MARKUP: Final = re.compile(r"</?[A-Za-z][^<>]{0,50}>")

Found = dict[str, list[str]]
"""PMIDs, bare, by search term."""


class RateLimiter:
    """Keeps calls apart; one for all that is sent to a server."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the clock, in seconds, and what waits."""
        self._now = now
        self._sleep = sleep
        self._free_at = 0.0

    def wait(self, per_second: float) -> None:
        """Wait until a call may go out, and reserve its place."""
        now = self._now()
        at = max(now, self._free_at)
        self._free_at = at + 1.0 / per_second
        if at > now:
            self._sleep(at - now)


class _NoAnswer(Exception):
    """A call that brought nothing; asked again where that may help."""

    def __init__(self, reason: str, again: bool | float) -> None:
        super().__init__(reason, again)
        self.reason = reason
        self.again = again
        """Whether to try again, or the seconds after which the server wants to be asked."""


class PubMed:
    """A ``LiteratureSource`` that asks NCBI."""

    name = PUBMED

    def __init__(
        self,
        url: str,
        email: str,
        key: SecretStr,
        limiter: RateLimiter,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        """Remember whom to ask and as whom; nothing is sent before ``find``."""
        self._url = url.rstrip("/")
        self._identity = {"tool": TOOL, "email": email}
        self._key = key
        self._limiter = limiter
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()

    def find(self, queries: Sequence[LiteratureQuery], limit: int) -> LiteratureAnswer:
        """Return for each case its publications, best first.

        Equal questions are asked once. A search that fails leaves the cases that need it without
        an answer, and the others with theirs; after several in a row no more is searched.
        """
        # A proxy of the environment is right for NCBI and wrong for a server on this machine.
        with httpx.Client(timeout=self._timeout_s, trust_env=not is_loopback(self._url)) as client:
            ids, reason = self._searched(client, queries, limit)
            complete = [q for q in queries if all(term in ids for term in terms_of(q).values())]
            titles, failure = self._titles(client, ids)
        found = {}
        for query in complete:
            wanted = {pmid for term in terms_of(query).values() for pmid in ids[term]}
            if wanted <= titles.keys():
                made = _publications(query, ids, titles)
                found[query.case_id] = Corpus(made).ranked(query, limit, PUBMED)
        unasked = tuple(query.case_id for query in queries if not terms_of(query))
        return LiteratureAnswer(found=found, unasked=unasked, reason=reason or failure)

    def _searched(
        self, client: httpx.Client, queries: Sequence[LiteratureQuery], limit: int
    ) -> tuple[Found, str]:
        """Return the PMIDs of each term that was answered, and why one was not."""
        found: Found = {}
        reason, failures = "", 0
        for term in dict.fromkeys(t for query in queries for t in terms_of(query).values()):
            if failures == FAILURES_MAX:
                break
            parameters = {"term": term, "retmax": str(limit), "sort": "pub_date"}
            try:
                content = self._call(client, "esearch", parameters, _search_error)
            except _NoAnswer as error:
                reason, failures = error.reason, failures + 1
                continue
            failures = 0
            ids = map(str, content["esearchresult"]["idlist"])
            found[term] = [one for one in ids if BARE_PMID.fullmatch(one)][:limit]
        return found, reason

    def _titles(self, client: httpx.Client, ids: Found) -> tuple[dict[str, str], str]:
        """Return the title of each PMID, empty where PubMed has none, and why some are missing."""
        wanted = sorted({pmid for found in ids.values() for pmid in found}, key=int)
        titles: dict[str, str] = {}
        for start in range(0, len(wanted), SUMMARIES_AT_ONCE):
            batch = wanted[start : start + SUMMARIES_AT_ONCE]
            try:
                content = self._call(client, "esummary", {"id": ",".join(batch)}, _summary_error)
            except _NoAnswer as error:
                return titles, error.reason
            titles |= {pmid: _title(content["result"].get(pmid)) for pmid in batch}
        return titles, ""

    def _call(
        self,
        client: httpx.Client,
        utility: str,
        parameters: Mapping[str, str],
        error_in: Callable[[dict[str, Any]], str],
    ) -> dict[str, Any]:
        """Ask one utility, again where it is too busy or not understood."""
        for attempt in stamina.retry_context(
            on=_again, attempts=ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=10.0
        ):
            with attempt:
                content = self._once(client, utility, parameters)
                error = error_in(content)
                if error:
                    raise _NoAnswer(self._masked(error), again=True)
        return content

    def _once(
        self, client: httpx.Client, utility: str, parameters: Mapping[str, str]
    ) -> dict[str, Any]:
        key = self._key.get_secret_value()
        self._limiter.wait(CALLS_PER_S_WITH_KEY if key else CALLS_PER_S)
        form = {"db": PUBMED, "retmode": "json"} | self._identity | dict(parameters)
        form |= {"api_key": key} if key else {}
        try:
            with client.stream("POST", f"{self._url}/{utility}.fcgi", data=form) as response:
                body = _body(response, time.monotonic() + self._timeout_s)
        except httpx.TimeoutException:
            raise _NoAnswer(LATE, again=True) from None
        except httpx.HTTPError as error:
            reason = f"no connection ({type(error).__name__})"
            raise _NoAnswer(reason, again=True) from None
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            reason = f"HTTP {status}"
            raise _NoAnswer(reason, again=self._pause(response))
        content = _object(body)
        if status != httpx.codes.OK:
            told = content.get("error", "") if content else ""
            reason = f"HTTP {status} {self._masked(str(told))}".rstrip()
            raise _NoAnswer(reason, again=False)
        if content is None:
            raise _NoAnswer(NOT_JSON, again=True)
        return content

    def _pause(self, response: httpx.Response) -> bool | float:
        """Return the seconds that ``Retry-After`` asks for; False where these are too many."""
        asked = response.headers.get("retry-after", "").strip()
        if not asked:
            return True
        try:
            seconds = float(asked) if asked.isdigit() else self._until(asked)
        except ValueError:
            return True
        return seconds if seconds <= RETRY_AFTER_MAX_S else False

    def _until(self, date: str) -> float:
        return max(0.0, parsedate_to_datetime(date).timestamp() - self._clock.now())

    def _masked(self, text: str) -> str:
        """Return a server's words, short, on one line and without the key, which it may repeat."""
        key = self._key.get_secret_value()
        return plain(text.replace(key, "…") if key else text)[:120]


def literature_sources(settings: Settings, limiter: RateLimiter) -> list[LiteratureSource]:
    """Return the sources that the settings name; PubMed only where an address is set."""
    sources: list[LiteratureSource] = []
    if settings.literature_path:
        sources.append(FileSource(Path(settings.literature_path)))
    if settings.ncbi_email:
        key = settings.ncbi_api_key
        sources.append(PubMed(settings.ncbi_url, settings.ncbi_email, key, limiter))
    return sources


def terms_of(query: LiteratureQuery) -> dict[str, str]:
    """Return what PubMed is asked for a case: a search term by the disease's id or gene symbol.

    Nothing else of a case leaves: not the id, and no word that is not in a published name.
    """
    words = words_of(query.disease_name)[:WORDS_MAX]
    terms = {}
    if words:
        terms[query.disease_id] = " AND ".join(f"{word}{FIELD}" for word in words)
    for gene in query.genes:
        if is_symbol(gene):
            terms[gene] = f"{gene}{FIELD} AND ({GENE_WORDS})"
    return terms


def _again(error: Exception) -> bool | float:
    return error.again if isinstance(error, _NoAnswer) else False


def _body(response: httpx.Response, until: float) -> bytes:
    """Read an answer, but not one that is too long or never ends."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise _NoAnswer(TOO_LONG, again=False)
        if time.monotonic() > until:
            raise _NoAnswer(LATE, again=True)
        parts.append(part)
    return b"".join(parts)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _search_error(content: dict[str, Any]) -> str:
    """Return what is wrong with an answer of esearch; an empty text where nothing is."""
    result = content.get("esearchresult")
    if "error" in content:
        return str(content["error"])
    if not isinstance(result, dict):
        return "the answer has no esearchresult"
    if "ERROR" in result:
        return str(result["ERROR"])
    return "" if isinstance(result.get("idlist"), list) else "the answer has no idlist"


def _summary_error(content: dict[str, Any]) -> str:
    """Return what is wrong with an answer of esummary; an empty text where nothing is."""
    if "error" in content:
        return str(content["error"])
    return "" if isinstance(content.get("result"), dict) else "the answer has no result"


def _title(summary: object) -> str:
    """Return a title without markup; an empty text for an id that has no summary."""
    title = summary.get("title") if isinstance(summary, dict) else None
    return plain(MARKUP.sub("", html.unescape(title))) if isinstance(title, str) else ""


def _publications(
    query: LiteratureQuery, ids: Found, titles: Mapping[str, str]
) -> Iterable[Publication]:
    """Return what was found for a case; what a term found is about the term's disease or gene."""
    for about, term in terms_of(query).items():
        is_disease = about == query.disease_id
        for pmid in ids[term]:
            if titles[pmid]:
                yield Publication(
                    pmid=f"PMID:{pmid}",
                    title=titles[pmid],
                    diseases=(about,) if is_disease else (),
                    genes=() if is_disease else (about,),
                )
