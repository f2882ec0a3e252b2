"""Classes of image models and the records that they are bound to."""

import pytest
from bundle_builders import a_bundle

from cluster.contracts.disease import DiseaseAnswer, DiseaseCard
from cluster.errors import InputError, ModelRefused
from cluster.flow.diseases import DiseaseDatabase
from cluster.flow.image_models import (
    answers_for,
    bind_labels,
    names_of_diseases,
    of_disease,
)
from cluster.ids import sha256
from cluster.models.image_list import entry_of
from cluster.storage.diseases import DiseaseShelf
from tests.unit.diseases.disease_lines import PNEUMONIA, packed

TWINS = [{"id": "DOID:901", "name": "twin"}, {"id": "DOID:902", "name": "twin"}]
PROXY = {
    "id": "DOID:903", "name": "other", "texts": PNEUMONIA[1]["texts"],
    "definitions": [{"text": "x", "source": "y"}],
    "xrefs": {"ORPHA": [{"id": "7", "relation": "E"}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> DiseaseDatabase:
    folder = tmp_path_factory.mktemp("data")
    content = packed(*PNEUMONIA, *TWINS, PROXY)
    shelf = DiseaseShelf(folder)
    card = DiseaseCard(name="d.jsonl.gz", digest=sha256(content), records=0)
    shelf.serve(shelf.build(content, card))
    return DiseaseDatabase.of(folder)


def test_a_class_is_bound_by_its_exact_name(database: DiseaseDatabase) -> None:
    """C8: case, underscores and synonyms; never by a word in common."""
    labels = ("Bacterial_Pneumonia", "pneumonia caused by bacteria", "normal", "lung", "MONDO:x")
    bound = bind_labels(labels, database, {})
    disease = ("DOID:874", "bacterial pneumonia")
    assert [bound[one] for one in labels] == [disease, disease, ("", ""), ("", ""), ("", "")]


def test_two_records_of_one_name_bind_nothing(database: DiseaseDatabase) -> None:
    """C8: who trains says which one is meant."""
    assert bind_labels(("twin",), database, {}) == {"twin": ("", "")}
    assert bind_labels(("twin",), database, {"twin": "DOID:902"}) == {"twin": ("DOID:902", "twin")}


def test_what_is_given_wins(database: DiseaseDatabase) -> None:
    """C8: a code of another vocabulary leads to its record; an empty text says that it is none."""
    given = {"pneumonia": "", "a": "DOID:552", "b": "ICD-10:J15.9", "c": "ORPHA:7"}
    bound = bind_labels(tuple(given), database, given)
    assert [one for one, _ in bound.values()] == ["", "DOID:552", "DOID:874", "ORPHA:7"]


@pytest.mark.parametrize("code", ["DOID:1", "pneumonia", "OMIM:154700", "DOID:x"])
def test_a_code_without_one_record_is_refused(database: DiseaseDatabase, code: str) -> None:
    """C8: not in the database, a name, broader than the record, or no code of the vocabulary."""
    with pytest.raises(InputError):
        bind_labels(("a",), database, {"a": code})


def test_a_binding_of_no_class_is_refused(database: DiseaseDatabase) -> None:
    """C8: a slip of the pen does not leave a class unbound."""
    with pytest.raises(InputError, match="no class 'b' to bind"):
        bind_labels(("a",), database, {"b": "DOID:552"})


def test_a_bundle_that_is_bound_to_no_record_is_refused(database: DiseaseDatabase) -> None:
    """C8 C9: by the id of the record only; the class and the database are named."""
    good, _ = a_bundle(diseases={"pneumonia": "DOID:552"})
    assert names_of_diseases(good, database) == {"DOID:552": "pneumonia"}
    for strange in ("DOID:999", "OMIM:609016", "DOID:x", "LOCAL:1"):
        bundle, _ = a_bundle(diseases={"pneumonia": strange})
        with pytest.raises(ModelRefused, match=f"{strange} is no record of d.jsonl.gz") as refused:
            names_of_diseases(bundle, database)
        assert refused.value.where == "labels[1]"


def test_the_answer_of_a_disease_is_that_of_its_own_record(database: DiseaseDatabase) -> None:
    """C8: also where another record, better known, has the id among its codes."""
    bundle, _ = a_bundle(diseases={"pneumonia": "ORPHA:7", "normal": "DOID:874"})
    entry = entry_of(bundle, "0" * 64, "", {"ORPHA:7": "a", "DOID:874": "b"}, 1.0)
    answers = answers_for([entry, entry], database)
    assert set(answers) == {"ORPHA:7", "DOID:874"}
    read = {one: DiseaseAnswer.model_validate_json(content) for one, content in answers.items()}
    assert [answer.disease_id for answer in read.values()] == sorted(read)
    assert read["DOID:874"].from_parent[0].disease_id == "DOID:552"


def test_models_are_found_by_any_name_of_a_disease(database: DiseaseDatabase) -> None:
    """C9: id, code, name and synonym lead to the model; words do not."""
    bundle, _ = a_bundle(diseases={"pneumonia": "DOID:874"})
    entry = entry_of(bundle, "0" * 64, "", {"DOID:874": "bacterial pneumonia"}, 1.0)
    for asked in ("DOID:874", "ICD-10:J15.9", "Pneumonia caused by bacteria"):
        assert of_disease([entry], asked, database) == [entry]
    for asked in ("bacterial", "DOID:552"):
        assert of_disease([entry], asked, database) == []
