"""An update of a trend model on files, outside a run: what is read, checked, kept (S540-S550)."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.contracts.trend import TrendCard, UpdateReport
from cluster.contracts.trend_update import UpdateComparison
from cluster.errors import Conflict, WindowInvalid
from cluster.flow.trend_files import open_model
from cluster.flow.windows import to_bytes
from cluster.ids import canonical_json, sha256
from cluster.storage.files import write_durably
from cluster.storage.trend_models import CARD, read_card, write_model
from cluster.storage.windows import read_windows

if TYPE_CHECKING:
    from cluster.trend.fit import FitConfig
    from cluster.trend.incremental import Terms

UPDATE: Final = "update.json"
COMPARISON: Final = "comparison.json"


def read_all(paths: Sequence[Path]) -> pa.Table:
    """Read the windows of several files.

    Raises:
        SourceUnreadable: a file has no windows that can be read.
        WindowInvalid: a window comes twice, or lacks what it must have.
    """
    windows = pa.concat_tables([read_windows(path) for path in paths])
    _refuse_known(windows, 0, ", ".join(map(str, paths)))
    return windows


def require_free(folder: Path) -> None:
    """Check that a folder has no model yet.

    Raises:
        Conflict: it has one, which an update that is refused would leave beside its report.
    """
    if (folder / CARD).exists():
        what = f"{folder} has a model"
        raise Conflict(what, "--out", "Give a folder without one.")


def update_files(
    model: Path, old: pa.Table, new: pa.Table, folder: Path, terms: "Terms", *, is_compared: bool
) -> tuple[TrendCard | None, UpdateReport, UpdateComparison | None]:
    """Update a model by windows, and keep the second one where the guard lets it pass.

    Written are ``update.json``, with ``is_compared`` ``comparison.json``, and of a second model
    that is accepted its weights and its card.

    Args:
        model: folder of the first model.
        old: windows that it has learned from.
        new: windows that came since.
        folder: of the second model.
        terms: of the update.
        is_compared: other ways to take the new windows in are tried too.

    Raises:
        WindowInvalid: a window is not usable or has no label, is both old and new, or an old one
            is none of the model's.
    """
    from cluster.trend.comparison import compare
    from cluster.trend.incremental import update

    first, known = open_model(model), read_card(model)
    _refuse_known(pa.concat_tables([old, new]), old.num_rows, "the new windows")
    comparison = None
    (folder / COMPARISON).unlink(missing_ok=True)
    if is_compared:
        content, report, comparison = compare(
            first,
            old=old,
            new=new,
            terms=terms,
            config=_trained_as(known, terms.seed),
            stopwatch=time.perf_counter,
        )
        write_durably(folder / COMPARISON, comparison.model_dump_json(indent=1).encode())
    else:
        content, report = update(
            first,
            old=old,
            new=new,
            preset=terms.preset,
            forgetting_max=terms.forgetting_max,
            seed=terms.seed,
            gate=terms.gate,
        )
    card = None if content is None else _card(content, new, terms, report)
    if content is not None and card is not None:
        write_model(folder, content, card)
    write_durably(folder / UPDATE, report.model_dump_json(indent=1).encode())
    return card, report, comparison


def _card(content: bytes, new: pa.Table, terms: "Terms", report: UpdateReport) -> TrendCard:
    from cluster.trend.second import second_card

    digest = sha256(to_bytes(new))
    card = second_card(
        content, n_learned=report.n_learned, new=new, dataset_digest=digest, seed=terms.seed
    )
    named = {
        "gate": terms.gate,
        "preset": terms.preset,
        "forgetting_max": terms.forgetting_max,
        "seed": terms.seed,
    }
    return card.model_copy(update={"config": canonical_json({"update": named})})


def _trained_as(card: TrendCard, seed: int) -> "FitConfig":
    """Return how the first model was trained, as far as its card tells; with another seed."""
    from dataclasses import replace

    from cluster.trend.config import config_from_json
    from cluster.trend.fit import FitConfig

    is_told = card.role == "first" and bool(card.config)
    config = config_from_json(card.config) if is_told else FitConfig()
    return replace(config, seed=seed)


def _refuse_known(windows: pa.Table, n_before: int, where: str) -> None:
    """Check that no window after the first so many is one of those before it.

    Raises:
        WindowInvalid: names the first one.
    """
    ids = windows["sample_id"].combine_chunks()
    place_W = pc.index_in(ids, value_set=pc.unique(ids)).to_numpy()
    is_first_W = np.zeros(len(ids), dtype=bool)
    is_first_W[np.unique(place_W, return_index=True)[1]] = True
    if not is_first_W.all():
        row = int((~is_first_W).argmax())
        among = " and is among the old windows" if n_before else ""
        what = f"the sample_id {ids[row].as_py()!r} comes twice{among}"
        raise WindowInvalid(what, where, "Leave it out of one.")
