"""Which version of the API a request speaks, and in which it is answered.

Minor versions are compatible with each other, so one that is not known is answered as it asks; of
another major version nothing is understood.
"""

import re
from dataclasses import dataclass
from typing import Final

from cluster.errors import InputError

NOT_ACCEPTABLE: Final = 406
MEDIA_TYPE_WRONG: Final = 415
BODY_WRONG: Final = 422
JSON_TYPE: Final = "application/json"
_MATCHMAKER: Final = re.compile(
    r"application/vnd\.ga4gh\.matchmaker(?:\.v([0-9]{1,3})\.([0-9]{1,3}))?\+json"
)


@dataclass(frozen=True, order=True)
class Version:
    """A version of the API."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def media_type(self) -> str:
        """The media type of requests and answers in this version."""
        return f"application/vnd.ga4gh.matchmaker.v{self}+json"


SUPPORTED: Final = (Version(1, 0), Version(1, 1))
LATEST: Final = SUPPORTED[-1]


class MmeProblem(InputError):
    """A request that the API answers with an error."""

    code = "mme_refused"

    def __init__(
        self,
        what: str,
        where: str = "",
        remedy: str = "",
        status: int = BODY_WRONG,
        supported: tuple[str, ...] = (),
    ) -> None:
        """Say what is wrong.

        Args:
            what: the rule that is broken, without anything that was sent.
            where: place in the message, such as ``patient.features.3.id``.
            remedy: what to do.
            status: of HTTP.
            supported: versions to ask in, where the version is what is wrong.
        """
        super().__init__(what, where, remedy)
        self.args = (what, where, remedy, status, supported)
        self.status = status
        self.supported = supported

    @property
    def message(self) -> str:
        """One sentence with the place; never empty."""
        return f"{self.where}: {self.what}" if self.where else self.what

    @property
    def body(self) -> dict[str, object]:
        """The body of the answer."""
        named = {"supportedVersions": list(self.supported)} if self.supported else {}
        return {"message": self.message, **named}


def stated(content_type: str) -> Version | None:
    """Return the version that a media type states; None where it states none."""
    found = _MATCHMAKER.fullmatch(_bare(content_type))
    return Version(int(found[1]), int(found[2])) if found and found[1] else None


def negotiated(content_type: str | None) -> Version:
    """Return the version in which a request is answered; the latest where it states none.

    Args:
        content_type: the request's header; plain JSON and parameters are taken too.

    Raises:
        MmeProblem: 406 for another major version, 415 for another media type or none.
    """
    if content_type is None or not content_type.strip():
        what = "the request has no media type"
        raise MmeProblem(what, "Content-Type", f"Send {LATEST.media_type}.", MEDIA_TYPE_WRONG)
    version, bare = stated(content_type), _bare(content_type)
    if bare != JSON_TYPE and not _MATCHMAKER.fullmatch(bare):
        what = f"the media type is not {LATEST.media_type}"
        raise MmeProblem(what, "Content-Type", "Send this one.", MEDIA_TYPE_WRONG)
    if version is not None and version.major != LATEST.major:
        supported = tuple(map(str, SUPPORTED))
        what = "unsupported API version"
        remedy = f"Ask in version {LATEST}."
        raise MmeProblem(what, "Content-Type", remedy, NOT_ACCEPTABLE, supported)
    return version or LATEST


def newest_common(theirs: object) -> Version | None:
    """Return the newest version that is known here and in another server's list of versions."""
    names = {str(one).removeprefix("v") for one in theirs} if isinstance(theirs, list) else set()
    return max((one for one in SUPPORTED if str(one) in names), default=None)


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
