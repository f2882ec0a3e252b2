"""Routes of operators: platforms, links and tokens (S100, S200, S900, B9)."""

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request

from cluster.authorisation.roles import Role
from cluster.authorisation.tokens import DAYS_MAX, TokenCard, TokenIssued, TokenOrder
from cluster.contracts.share import (
    Agreed,
    Info,
    Link,
    LinkPage,
    PlatformPage,
    PlatformPut,
    PlatformRow,
)
from cluster.contracts.sharing import PlatformProfile, PlatformTag
from cluster.errors import Conflict, NotFound
from cluster.ids import checked_platform_id
from serve_apps.http.guard import Key, caller_of, owns
from serve_apps.http.problems import Refused
from serve_apps.share.examples import AGREED, PLATFORM, TOKEN
from serve_apps.share.pages import LIMIT, After, Limit, PlatformsAsked, TokenPage, page_of
from serve_apps.share.ports import SharePorts

Days = Annotated[float, Query(gt=0, le=DAYS_MAX, allow_inf_nan=False)]


def add_administration(made: APIRouter, ports: SharePorts) -> None:
    """Add the routes to those of the share application."""
    _add_info(made, ports)
    _add_platforms(made, ports)
    _add_links(made, ports)
    _add_tokens(made, ports)


def _add_info(made: APIRouter, ports: SharePorts) -> None:
    @made.get("/info")
    async def info() -> Info:
        """Say which release this is, and what it allows."""
        return Info(version=version("dazzle"), limits=ports.limits)


def _add_platforms(made: APIRouter, ports: SharePorts) -> None:
    @made.get("/platforms")
    async def list_platforms(
        request: Request,
        asked: Annotated[PlatformsAsked, Query()],
    ) -> PlatformPage:
        """List the platforms, filtered by facets of their tags; tags are shown to operators."""
        shows_tags = request.state.cell == "all"
        if not shows_tags and asked.chosen().keys() - {"kind"}:
            raise Refused(403, "only who sees tags may filter by them")
        rows = [
            PlatformRow(
                platform_id=tag.profile.platform_id,
                kind=tag.profile.kind,
                tag=tag if shows_tags else None,
            )
            for tag in await ports.network.tags()
            if asked.lets_pass(tag.profile)
        ]
        shown, following = page_of(rows, lambda row: row.platform_id, asked.after, asked.limit)
        return PlatformPage(platforms=shown, next=following)

    @made.get("/platforms/{platform}")
    async def get_platform(platform: str) -> PlatformTag:
        """Get a platform's feature tag (S200)."""
        for tag in await ports.network.tags():
            if tag.profile.platform_id == platform:
                return tag
        what = "there is no such platform"
        raise NotFound(what, remedy="List the platforms.")

    @made.put("/platforms/{platform}")
    async def put_platform(
        request: Request,
        platform: str,
        said: Annotated[PlatformPut, Body(openapi_examples=PLATFORM)],
    ) -> PlatformTag:
        """Register a platform, or change what it says of itself; a change is a new tag (S100)."""
        remotes = {one.card.platform_id for one in await ports.network.remotes()}
        if checked_platform_id(platform) in remotes:
            what = "this is a platform of another cluster"
            raise Conflict(what, "platform", "A name is one platform's on all clusters.")
        started = await ports.start_platform(platform)
        key, _, _ = await started.describe()
        profile = PlatformProfile(
            platform_id=platform, at_risk_origin="stated", **said.model_dump()
        )
        return await ports.network.register(profile, key, caller_of(request).name)


def _add_links(made: APIRouter, ports: SharePorts) -> None:
    async def known_links() -> list[Link]:
        found = await ports.network.links()
        return [Link(source=a, target=b, agreed=agreed) for a, b, agreed in found]

    @made.get("/links")
    async def list_links(after: After = "", limit: Limit = LIMIT) -> LinkPage:
        """List who is interconnected with whom, and whether they have an agreement."""
        shown, following = page_of(await known_links(), _name_of, after, limit)
        return LinkPage(links=shown, next=following)

    @made.put("/links/{platform}/{peer}")
    async def put_link(
        request: Request,
        platform: str,
        peer: str,
        agreed: Annotated[Agreed, Body(openapi_examples=AGREED)],
    ) -> list[Link]:
        """Interconnect two platforms; a case goes only where both agree.

        A token of the whole cluster speaks for both, one of a platform for that platform.
        """
        here = {tag.profile.platform_id for tag in await ports.network.tags()}
        there = here | {one.card.platform_id for one in await ports.network.remotes()}
        if not {platform, peer} <= there or platform == peer or not {platform, peer} & here:
            what = "a link needs two registered platforms"
            raise NotFound(what, remedy="Register both first.")
        caller = caller_of(request)
        said = ports.network.agree if caller.platform else ports.network.link
        await said(platform, peer, agreed.agreed, caller.name)
        for one in here.intersection((platform, peer)):
            where = await ports.platform(one)
            await where.set_peers(await ports.network.peers(one))
        await ports.courier.nudge()
        return [
            link for link in await known_links() if {link.source, link.target} == {platform, peer}
        ]


def _add_tokens(made: APIRouter, ports: SharePorts) -> None:
    @made.post("/tokens")
    async def issue(
        request: Request, order: Annotated[TokenOrder, Body(openapi_examples=TOKEN)], key: Key = ""
    ) -> TokenIssued:
        """Issue a token; it is shown this once and lives 90 days at the most.

        The same command under the same `Idempotency-Key` issues no second one: it is answered with
        409 and the name of the first, for the secret is kept nowhere.
        """
        if not owns(caller_of(request), order.platform):
            raise Refused(403, "a token of one platform issues tokens of that platform only")
        return await ports.network.issue_token(order, caller_of(request).name, key)

    @made.get("/tokens")
    async def list_tokens(request: Request, after: After = "", limit: Limit = LIMIT) -> TokenPage:
        """List the tokens that are not revoked, without their secrets."""
        caller = caller_of(request)
        cards = [one for one in await ports.network.token_cards() if owns(caller, one.platform)]
        shown, following = page_of(cards, lambda card: card.kid, after, limit)
        return TokenPage(tokens=shown, next=following)

    @made.post("/tokens/{kid}/rotation")
    async def rotate(request: Request, kid: str, days: Days = DAYS_MAX) -> TokenIssued:
        """Issue the token that follows one, which stays good until it expires.

        Who is no operator rotates the token that the call is made with.
        """
        await _known(request, ports, kid)
        return await ports.network.rotate_token(kid, days, caller_of(request).name)

    @made.delete("/tokens/{kid}", status_code=204)
    async def revoke(request: Request, kid: str) -> None:
        """End a token at once, with all that were rotated from it or to it."""
        await _known(request, ports, kid)
        await ports.network.revoke_token(kid, caller_of(request).name)


def _name_of(link: Link) -> str:
    return f"{link.source}/{link.target}"


async def _known(request: Request, ports: SharePorts, kid: str) -> TokenCard:
    """Return a token's card that the caller may handle.

    Raises:
        NotFound: there is none, or it is another's.
    """
    caller = caller_of(request)
    for card in await ports.network.token_cards():
        is_mine = card.kid == caller.name or (
            caller.role is Role.OPERATOR and owns(caller, card.platform)
        )
        if card.kid == kid and is_mine:
            return card
    what = "there is no such token"
    raise NotFound(what, remedy="List the tokens.")
