"""Actors as ports: a method of a port is a call of the actor's method of that name."""

from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, Final

import ray
from ray.exceptions import RayActorError, RayTaskError

from actors.options import NAMESPACE, platform_name
from cluster.errors import DazzleError, NotFound, StoreUnavailable
from cluster.ids import checked_platform_id

PLATFORMS_KEPT: Final = 1024


class Remote:
    """Stands for an actor.

    An error of the core comes out as it went in; an actor that is gone is a ``StoreUnavailable``,
    and so touches the calls that need it and nothing else.
    """

    def __init__(self, name: str) -> None:
        """Find an actor by its name.

        Raises:
            NotFound: there is none.
        """
        self._name = name
        try:
            self._handle = ray.get_actor(name, NAMESPACE)
        except ValueError:  # Ray's way of saying that there is none
            what = "there is nothing here"
            raise NotFound(what, remedy="List the platforms.") from None

    def __getattr__(self, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*asked: object, **named: object) -> object:
            try:
                return await getattr(self._handle, method).remote(*asked, **named)
            except RayTaskError as error:
                cause = getattr(error, "cause", error)
                if isinstance(cause, DazzleError):
                    raise cause from None
                raise
            except RayActorError:
                what = f"{self._name} does not answer"
                raise StoreUnavailable(what, remedy="It is started again; try later.") from None

        return call


@lru_cache(maxsize=PLATFORMS_KEPT)
def running_platform(platform_id: str) -> Any:  # noqa: ANN401 - a port of another application each time
    """Return a platform; each is looked up once.

    Raises:
        InputError: the name cannot be one of a platform.
        NotFound: there is none of this name.
    """
    return Remote(platform_name(checked_platform_id(platform_id)))
