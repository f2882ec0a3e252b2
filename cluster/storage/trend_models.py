"""A trend model in a folder of its own: its weights, and the card that says what they are.

The card is written last and taken away first: a folder with a card has the weights of that card,
or says that it has not.
"""

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from cluster.contracts.trend import TrendCard
from cluster.errors import IntegrityError, SourceUnreadable
from cluster.ids import sha256
from cluster.storage.files import write_durably

WEIGHTS: Final = "model.safetensors"
CARD: Final = "card.json"
WEIGHTS_BYTES_MAX: Final = 1 << 30
_AGAIN: Final = "Restore it, or make it again with the job that wrote it."


def write_model(folder: Path, content: bytes, card: TrendCard) -> None:
    """Keep a model so that a crash at any instant leaves it whole or without a card.

    Args:
        folder: made where it is missing; what it held is replaced.
        content: the model's bytes, as ``cluster.trend.artefact.save`` makes them.
        card: of these bytes.
    """
    (folder / CARD).unlink(missing_ok=True)
    write_durably(folder / WEIGHTS, content)
    write_durably(folder / CARD, card.model_dump_json(indent=1).encode())


def read_model(path: Path) -> bytes:
    """Return the bytes of a model, from its folder or from the file of its weights.

    They are for ``cluster.trend.artefact.load``, which checks the seal within them. Of a folder
    the card is checked too.

    Raises:
        SourceUnreadable: there is no model, or it was not written to its end.
        IntegrityError: the weights are not those that the card names.
    """
    if not path.is_dir():
        return _content(path)
    card = read_card(path)
    content = _content(path / WEIGHTS)
    if sha256(content) != card.version:
        what = f"{WEIGHTS} is damaged, or is not the model of {CARD}"
        raise IntegrityError(what, str(path), _AGAIN)
    return content


def read_card(folder: Path) -> TrendCard:
    """Return the card of a model.

    Raises:
        SourceUnreadable: there is no such folder, or no card in it.
        IntegrityError: the card is damaged or of another version of Dazzle.
    """
    if not folder.is_dir():
        what = "there is no such folder"
        raise SourceUnreadable(what, str(folder), "Give the folder that fit_trend has written.")
    try:
        return TrendCard.model_validate_json((folder / CARD).read_bytes())
    except FileNotFoundError:
        what = f"there is no {CARD} in it, so it holds no finished model"
        raise SourceUnreadable(what, str(folder), _AGAIN) from None
    except OSError as error:
        what = f"{CARD} cannot be read ({type(error).__name__})"
        raise SourceUnreadable(what, str(folder), "Check the permissions.") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        cause = ": ".join([*map(str, first["loc"]), first["msg"]])
        what = f"{CARD} is damaged or of another version ({cause})"
        raise IntegrityError(what, str(folder), _AGAIN) from None


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > WEIGHTS_BYTES_MAX:
            what = f"it has more than {WEIGHTS_BYTES_MAX:,} bytes, so it is no trend model"
            raise SourceUnreadable(what, str(path), "Check the path.")
        return path.read_bytes()
    except OSError as error:
        what = f"no model can be read there ({type(error).__name__})"
        remedy = f"Give the folder or the {WEIGHTS} that fit_trend has written."
        raise SourceUnreadable(what, str(path), remedy) from None
