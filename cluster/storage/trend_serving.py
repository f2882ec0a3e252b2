"""Which trend models serve, read from the registry's ledger beside the process that writes it."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from cluster.contracts.trend import TrendCard
from cluster.errors import ModelNotReady, NotFound, StoreUnavailable
from cluster.models.cards import FIRST, SECOND, TREND_MODEL

REGISTRY_LEDGER = Path("registry") / "ledger.sqlite"


@dataclass(frozen=True)
class TrendServing:
    """The trend models, and which of them answer."""

    cards: tuple[TrendCard, ...] = ()
    """Oldest first."""
    first: TrendCard | None = None
    second: TrendCard | None = None
    """Only one that was updated from the first model that serves."""

    def asked(self, model: str) -> TrendCard:
        """Return the card of the model that serves as ``first`` or ``second``, or of a version.

        Raises:
            ModelNotReady: none serves so.
            NotFound: there is no such version.
        """
        if model in ("first", "second"):
            card = self.first if model == "first" else self.second
            if card is None:
                what = f"no {model} trend model serves"
                raise ModelNotReady(what, remedy="Run fit_trend, or name a version.")
            return card
        found = next((card for card in self.cards if card.version == model), None)
        if found is None:
            what = "there is no trend model of this version"
            raise NotFound(what, remedy="List the models.")
        return found


class TrendServingReader:
    """Reads the ledger anew when it has changed, which SQLite is asked at each call."""

    def __init__(self, data_dir: Path) -> None:
        """Name the folder of the ledgers; the ledger is opened when it is first asked."""
        self._path = data_dir / REGISTRY_LEDGER
        self._ledger: sqlite3.Connection | None = None
        self._seen = -1
        self._serving = TrendServing()

    def serving(self) -> TrendServing:
        """Return what serves now.

        Raises:
            StoreUnavailable: the ledger is not there yet, or cannot be read.
        """
        try:
            if self._ledger is None:
                self._ledger = sqlite3.connect(
                    f"{self._path.as_uri()}?mode=ro",
                    uri=True,
                    check_same_thread=False,
                    isolation_level=None,
                )
            version = int(self._ledger.execute("PRAGMA data_version").fetchone()[0])
            if version != self._seen:
                self._serving = _read(self._ledger)
                self._seen = version
        except sqlite3.Error as error:
            what = f"the registry's ledger cannot be read: {error}"
            raise StoreUnavailable(what, self._path.name, "Start the cluster's actors.") from None
        return self._serving


def _read(ledger: sqlite3.Connection) -> TrendServing:
    rows = ledger.execute(
        "SELECT card FROM artefacts WHERE kind = ? ORDER BY seq", (TREND_MODEL,)
    ).fetchall()
    channels = dict(ledger.execute("SELECT channel, digest FROM channels").fetchall())
    cards = tuple(TrendCard.model_validate_json(card) for (card,) in rows)
    by_version = {card.version: card for card in cards}
    first, second = (by_version.get(channels.get(role, "")) for role in (FIRST, SECOND))
    is_of_first = first is not None and second is not None and second.parent == first.version
    return TrendServing(cards, first, second if is_of_first else None)
