"""The weights of the ranking: those that come with the product, or a file of a site's own."""

from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from cluster.errors import SourceUnreadable
from cluster.retrieval.diagnosis import RankingModel

PUBLISHED = "ranking.json"


def load_ranking(path: str = "") -> RankingModel:
    """Read the weights at a path; where none is given, those that come with the product.

    Raises:
        SourceUnreadable: the file cannot be read as weights of a ranking.
    """
    try:
        if path:
            content = Path(path).read_bytes()
        else:
            content = resources.files("cluster.retrieval").joinpath(PUBLISHED).read_bytes()
        return RankingModel.model_validate_json(content)
    except (OSError, ValidationError) as error:
        cause = type(error).__name__
        if isinstance(error, ValidationError):
            first = error.errors(include_input=False, include_url=False)[0]
            cause = ": ".join([*map(str, first["loc"]), first["msg"]])
        what = f"the weights of the ranking cannot be read ({cause})"
        remedy = "Give a file that fit_ranking has written, or none."
        raise SourceUnreadable(what, path or PUBLISHED, remedy) from None
