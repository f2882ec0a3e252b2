"""The weights of the ranking are read whole or refused."""

import json
from pathlib import Path

import pytest

from cluster.errors import SourceUnreadable
from cluster.retrieval.diagnosis import CASE_FIGURES, DISEASE_FIGURES, NONE_FIGURES, RankingModel
from cluster.storage.ranking import load_ranking


def test_the_product_comes_with_weights() -> None:
    """A4: a weight for each figure, none that turns evidence round, and what they come from."""
    model = load_ranking()
    for weights in (model.examined, model.observed):
        assert tuple(weights.disease) == DISEASE_FIGURES
        assert tuple(weights.known) == NONE_FIGURES
        assert tuple(weights.case) == CASE_FIGURES
        assert min((*weights.disease.values(), *weights.case.values())) >= 0
        assert max(weights.disease.values()) > 0 < max(weights.case.values())
    assert model.n_cases >= 1000 and "published cases" in model.learned_from
    assert model.ontology.startswith("HPO 20")


def test_a_file_of_ones_own_is_used(tmp_path: Path) -> None:
    """A4: what was written is what is read."""
    model = load_ranking().model_copy(update={"learned_from": "us"})
    path = tmp_path / "ranking.json"
    path.write_text(model.model_dump_json(indent=1))
    assert load_ranking(str(path)) == model != load_ranking()


def without(part: str, name: str) -> RankingModel:
    content = load_ranking().model_dump()
    del content["examined"][part][name]
    return content


def changed(part: str, name: str, value: object) -> RankingModel:
    content = load_ranking().model_dump()
    content["observed"][part][name] = value
    return content


BROKEN = {
    "empty": b"",
    "no JSON": b"{ not JSON",
    "no text": b"\xff\xfe\x00",
    "a list": b"[]",
    "cut short": json.dumps(load_ranking().model_dump()).encode()[:-40],
    "no weights": b'{"learned_from": "us", "n_cases": 1, "ontology": "x"}',
    "a figure is missing": json.dumps(without("disease", "nearest")).encode(),
    "a figure of the cases is missing": json.dumps(without("case", "cosine")).encode(),
    "a figure is unknown": json.dumps(changed("known", "charm", 1.0)).encode(),
    "a negative weight": json.dumps(changed("disease", "observed", -1.0)).encode(),
    "no number": json.dumps(changed("case", "cosine", float("nan"))).encode(),
    "a text": json.dumps(changed("case", "cosine", "much")).encode(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused(tmp_path: Path, name: str) -> None:
    """A4: which file, what is wrong with it, what to give; never weights that are half read."""
    path = tmp_path / "ranking.json"
    path.write_bytes(BROKEN[name])
    with pytest.raises(SourceUnreadable, match="weights of the ranking cannot be read") as caught:
        load_ranking(str(path))
    assert (caught.value.where, "fit_ranking" in caught.value.remedy) == (str(path), True)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A4: the weights of the product are not taken instead."""
    with pytest.raises(SourceUnreadable, match="FileNotFoundError"):
        load_ranking(str(tmp_path / "ranking.json"))


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    """A4: the error names the place in the file and the figures that have to be there."""
    path = tmp_path / "ranking.json"
    path.write_bytes(BROKEN["a figure is missing"])
    with pytest.raises(SourceUnreadable, match=r"examined: disease: .*nearest"):
        load_ranking(str(path))
