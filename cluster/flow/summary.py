"""What one platform has to show after a flow, read back from its ledger."""

import shutil
from collections.abc import Sequence

from cluster.contracts.ingest import Source
from cluster.contracts.result import PlatformResult, SharedCase
from cluster.contracts.sharing import PlatformTag
from cluster.flow.accesses import current_period, propagation
from cluster.flow.cases import ingest_report
from cluster.flow.platform import Platform
from cluster.flow.screening import rare_case_ids, screening_report
from cluster.storage import cases as case_rows
from cluster.storage import deliveries


def platform_result(
    platform: Platform, source: Source, tag: PlatformTag | None, as_of: float
) -> PlatformResult:
    """Gather a platform's result of the period that ends at an instant."""
    rare = set(rare_case_ids(platform))
    spread = [summary for summary in propagation(platform, as_of) if summary.case_id in rare]
    with platform.ledger.begin() as tx:
        statuses = deliveries.delivery_statuses(tx)
        shared = [
            SharedCase(
                case_id=case_id,
                deliveries=[status for status in statuses if status.case_id == case_id],
                related=deliveries.get_related(tx, case_id),
            )
            for case_id in sorted(deliveries.uploaded_cases(tx))
        ]
        decisions = deliveries.get_decisions(tx, period_end=as_of)
        stored = case_rows.get_cases(tx, sorted(rare))
        received = _by_origin(case_rows.received_ids(tx, platform.platform_id))
    return PlatformResult(
        platform=platform.platform_id,
        tag=tag,
        ingest=ingest_report(platform, source),
        screening=screening_report(platform),
        period=current_period(platform, as_of),
        propagation=sorted(spread, key=lambda summary: (-summary.index, summary.case_id)),
        rare_features={case_id: row.rare_feature for case_id, row in sorted(stored.items())},
        decisions=decisions,
        shared=shared,
        received=received,
    )


def backup(platform: Platform, folder: str) -> list[str]:
    """Copy a platform's ledger and keys, as of now, into a folder; returns the files.

    The index is not copied: it is made anew from the ledger.
    """
    place = f"platforms/{platform.platform_id}"
    copy = platform.ledger.backup_to(folder, place)
    keys = shutil.copytree(
        platform.ledger.path.parent / "keys", copy.parent / "keys", dirs_exist_ok=True
    )
    return [str(copy), *(str(path) for path in sorted(keys.iterdir()))]


def _by_origin(received: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for origin, case_id in received:
        groups.setdefault(origin, []).append(case_id)
    return groups
