"""What operators and scientists ask of a run, and do for it, beside the flow itself."""

from collections.abc import Sequence
from pathlib import Path

import ray

from actors.flow import Run
from actors.platform import start_platform
from actors.session import known_platforms
from cluster.contracts.related import DiseaseQuestion, NetworkCases, RelatedItem
from cluster.contracts.sharing import DeliveryStatus, PlatformTag, ReplayedDecision
from cluster.errors import NotFound
from cluster.flow.consents import OPERATOR
from cluster.flow.replay import with_unlike_predictions
from cluster.flow.search import put_in_order, put_together
from cluster.retrieval.profiles import OWN
from cluster.retrieval.query import CaseQuery, SearchAnswer
from cluster.storage.backup import copy_blobs, copy_image_sets, seal
from cluster.storage.blobs import BlobStore
from cluster.storage.ranking import load_ranking


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


def approve(run: Run, name: str, case_id: str) -> bool:
    """Let a case go out although its accesses may come from one platform only (S840).

    Returns:
        Whether its present revision had not been approved before.

    Raises:
        NotFound: there is no such platform or case.
    """
    _known(run, [name])
    is_new: bool = ray.get(run.session.platforms[name].approve.remote(case_id))
    return is_new


def replayed_decisions(run: Run) -> dict[str, list[ReplayedDecision]]:
    """Make every stored decision of every platform again, and say what differs (A10)."""
    platforms, trend = run.session.platforms, run.session.trend
    calls = {name: platforms[name].replay_decisions.remote() for name in run.sources}
    replayed: dict[str, list[ReplayedDecision]] = run.each("replay", calls)
    asked = {
        name: trend.unlike_kept.remote([made for one in ones for made in one.predictions])
        for name, ones in replayed.items()
    }
    unlike = run.each("compare", asked)
    return {name: with_unlike_predictions(ones, unlike[name]) for name, ones in replayed.items()}


def broken_audit_rows(run: Run) -> dict[str, int | None]:
    """Return for every ledger that has an audit chain the first row that does not follow.

    These are the network's and those of all platforms in the data folder, also of platforms that
    are not in the run; by the place of the ledger.
    """
    settings = run.session.settings
    chains = {"network": run.session.network} | {
        f"platforms/{name}": start_platform(name, settings) for name in known_platforms(settings)
    }
    return run.each("audit", {n: chain.broken_audit_row.remote() for n, chain in chains.items()})


def related_of(run: Run, name: str, case_id: str) -> list[RelatedItem]:
    """Return what is kept beside a case of a platform, own or received (S1040).

    Raises:
        NotFound: there is no such platform.
    """
    _known(run, [name])
    items: list[RelatedItem] = ray.get(run.session.platforms[name].related_of.remote(case_id))
    return items


def cases_of_disease(run: Run, name: str, question: DiseaseQuestion) -> NetworkCases:
    """Ask every platform that has an agreement with one for the rare cases of a disease (C8).

    Raises:
        NotFound: there is no such platform.
    """
    _known(run, [name])
    asking = run.session.supervisor.cases_of_disease.remote(name, question, OPERATOR)
    cases: NetworkCases = ray.get(asking)
    return cases


def delivery_statuses(run: Run) -> dict[str, list[DeliveryStatus]]:
    """Return every platform's outbox."""
    platforms = run.session.platforms
    return run.each("outbox", {n: platforms[n].delivery_statuses.remote() for n in run.sources})


def rebuild_indexes(run: Run) -> dict[str, int]:
    """Make every platform's index anew from its ledger."""
    platforms = run.session.platforms
    return run.each("rebuild", {n: platforms[n].rebuild_index.remote() for n in run.sources})


def backup(run: Run, folder: Path) -> int:
    """Copy every ledger as of one instant, keys, lists of image sets and blobs; returns how many.

    Blobs are last, so that a backup has all that its ledgers and lists name.
    """
    session = run.session
    services = {"network": session.network, "registry": session.registry, "trend": session.trend}
    actors = services | session.platforms
    run.each("backup", {name: actor.backup.remote(str(folder)) for name, actor in actors.items()})
    copy_image_sets(session.settings.data_dir, folder)
    copy_blobs(BlobStore.of(session.settings), folder)
    return seal(folder)


def search(run: Run, query: CaseQuery, names: Sequence[str]) -> SearchAnswer:
    """Search platforms, all where none is named, and make one answer.

    Where several are asked, each answers from its own cases only: a case that was shared counts
    once, at its home.

    Raises:
        InputError: the query cannot be asked.
        NotFound: there is no platform of a name, or no platform has the case that is named.
    """
    platforms = run.session.platforms
    _known(run, names)
    asked = list(dict.fromkeys(names)) or list(platforms)
    if query.like is not None:
        calls = {name: actor.asked_like.remote(query) for name, actor in platforms.items()}
        held = [found for found in run.each("look up", calls).values() if found is not None]
        if not held:
            what = f"there is no case {query.like}"
            raise NotFound(what, run.plan.run)
        query = held[0]
    if len(asked) > 1 and query.where.state is None:
        own = query.where.model_copy(update={"state": OWN})
        query = query.model_copy(update={"where": own})
    found = run.each("search", {name: platforms[name].find.remote(query) for name in asked})
    model = load_ranking(run.session.settings.ranking_path)
    order = put_in_order(query, list(found.values()), model)
    shown = {
        name: platforms[name].explained.remote(query, found[name].patient, scores)
        for name, scores in order.scores.items()
    }
    hits = run.each("explain", shown) if shown else {}
    return put_together(query, list(found.values()), order, list(hits.values()))


def _known(run: Run, names: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(run.session.platforms))
    if unknown:
        what = f"there is no platform {unknown[0]}"
        raise NotFound(what, remedy=f"Known are: {', '.join(run.session.platforms)}.")
