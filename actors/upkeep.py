"""What operators and scientists ask of a run, and do for it, beside the flow itself."""

from collections.abc import Sequence
from pathlib import Path

import ray

from actors.flow import Run
from cluster.contracts.sharing import DeliveryStatus, PlatformTag, RelatedItem
from cluster.errors import NotFound
from cluster.flow.search import CaseHit, CaseQuery
from cluster.storage.backup import copy_blobs, seal
from cluster.storage.blobs import BlobStore


def registered(run: Run) -> tuple[list[PlatformTag], list[tuple[str, str, bool]]]:
    """Return the tags of the platforms, and (from, to, agreed) of the links."""
    network = run.session.network
    return ray.get(network.tags.remote()), ray.get(network.links.remote())


def set_consent(run: Run, name: str, case_id: str, *, state: str, consent: str) -> None:
    """Say whether a case is active and may be shared; nothing more of it leaves if not.

    Raises:
        NotFound: there is no such platform or case.
    """
    _known(run, [name])
    ray.get(run.session.platforms[name].set_consent.remote(case_id, state, consent))


def broken_audit_rows(run: Run) -> dict[str, int | None]:
    """Return for every platform the first audit row that does not follow from the one before."""
    platforms = run.session.platforms
    return run.each("audit", {n: platforms[n].broken_audit_row.remote() for n in run.sources})


def related_of(run: Run, name: str, case_id: str) -> list[RelatedItem]:
    """Return what is kept beside a case of a platform, own or received (S1040).

    Raises:
        NotFound: there is no such platform.
    """
    _known(run, [name])
    items: list[RelatedItem] = ray.get(run.session.platforms[name].related_of.remote(case_id))
    return items


def delivery_statuses(run: Run) -> dict[str, list[DeliveryStatus]]:
    """Return every platform's outbox."""
    platforms = run.session.platforms
    return run.each("outbox", {n: platforms[n].delivery_statuses.remote() for n in run.sources})


def rebuild_indexes(run: Run) -> dict[str, int]:
    """Make every platform's index anew from its ledger."""
    platforms = run.session.platforms
    return run.each("rebuild", {n: platforms[n].rebuild_index.remote() for n in run.sources})


def backup(run: Run, folder: Path) -> int:
    """Copy every ledger as of one instant, the keys and the blobs; returns the number of files."""
    session = run.session
    services = {"network": session.network, "registry": session.registry, "trend": session.trend}
    actors = services | session.platforms
    run.each("backup", {name: actor.backup.remote(str(folder)) for name, actor in actors.items()})
    copy_blobs(BlobStore.of(session.settings), folder)
    return seal(folder)


def search(run: Run, query: CaseQuery, names: Sequence[str]) -> list[tuple[str, CaseHit]]:
    """Search platforms, all where none is named; best first.

    Raises:
        NotFound: there is no platform of a name.
    """
    platforms = run.session.platforms
    _known(run, names)
    asked = names or list(platforms)
    if query.like is not None:
        calls = {name: actor.case_terms.remote(query.like) for name, actor in platforms.items()}
        held = [terms for terms in run.each("look up", calls).values() if terms is not None]
        if not held:
            what = f"there is no case {query.like}"
            raise NotFound(what, run.plan.run)
        query = query.model_copy(update={"terms": held[0]})
    found = run.each("search", {name: platforms[name].search.remote(query) for name in asked})
    hits = [(name, hit) for name, hits in found.items() for hit in hits]
    return sorted(hits, key=lambda pair: -pair[1].score)


def _known(run: Run, names: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(run.session.platforms))
    if unknown:
        what = f"there is no platform {unknown[0]}"
        raise NotFound(what, remedy=f"Known are: {', '.join(run.session.platforms)}.")
