"""Where image models and the disease database meet: bound classes, and what is known of them.

A class of a model is bound to a record of the database by its card, never by guessing: by what the
trainer says, else by a name or synonym that is exactly the class's (C8, C11).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cluster.contracts.disease import Match
from cluster.contracts.image_models import Bundle, ListedModel
from cluster.errors import InputError, ModelRefused
from cluster.flow.diseases import DiseaseDatabase
from cluster.models.bundle import Problem, refusal

NAMES: Final = ("name", "synonym")
SAME: Final = ("exact", "unstated")
"""Relations of a code to the record that it may be bound to; a broader or narrower record is not
the disease."""


def bind_labels(
    labels: Sequence[str], database: DiseaseDatabase, given: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return id and name of the disease of each label; both empty where it is none.

    Args:
        labels: the classes. Underscores count as blanks, so ``viral_pneumonia`` is looked up as
            its folder means it.
        database: the one that serves.
        given: what the trainer says, by label: any code of a record, or an empty text for a class
            that is no disease, such as a kind of cell.

    Raises:
        InputError: a label or a code that is given is not known.
    """
    strange = sorted(set(given) - set(labels))
    if strange:
        what = f"there is no class {strange[0]!r} to bind"
        raise InputError(what, remedy=f"Classes are: {', '.join(labels)}.")
    return {
        one: _given(one, given[one], database) if one in given else _named(one, database)
        for one in labels
    }


def _given(label: str, code: str, database: DiseaseDatabase) -> tuple[str, str]:
    if not code:
        return "", ""
    match = _one([m for m in database.find(code, words=False) if m.how == "code"], code)
    if match is None:
        where = database.card.name
        what = f"the class {label!r} is bound to {code[:80]}, which leads to no one record"
        remedy = "See python -m jobs.find_disease, and give the id of a record."
        raise InputError(what, where, remedy)
    return match.disease_id, match.name


def _named(label: str, database: DiseaseDatabase) -> tuple[str, str]:
    text = label.replace("_", " ")
    try:
        found = database.find(text, words=False)
    except InputError:  # reads like a code and is none: still only the name of a class
        return "", ""
    match = _one([one for one in found if one.how in NAMES], text)
    return (match.disease_id, match.name) if match else ("", "")


def _one(found: Sequence[Match], code: str) -> Match | None:
    """Return the record that is meant: the one of this id, else the only one as good as the first.

    A class that two records share a name with is bound by whoever knows which one is meant.
    """
    own = [one for one in found if one.disease_id == code]
    best = own or [one for one in found if (one.relation, one.how) == _quality(found[0])]
    return best[0] if len(best) == 1 and best[0].relation in SAME else None


def _quality(match: Match) -> tuple[str, str]:
    return match.relation, match.how


def names_of_diseases(bundle: Bundle, database: DiseaseDatabase) -> dict[str, str]:
    """Return the name of each disease that a bundle is bound to, by its id.

    Raises:
        ModelRefused: an id is that of no record.
    """
    names, problems = dict[str, str](), list[Problem]()
    for n, label in enumerate(bundle.labels):
        if not label.disease_id:
            continue
        answer = database.answer_for(label.disease_id)
        if answer is None:
            message = f"{label.disease_id} is no record of {database.card.name}, which serves"
            problems.append(Problem("disease_unknown", f"labels[{n}]", message))
        else:
            names[label.disease_id] = answer.name
    if problems:
        raise ModelRefused(
            refusal(problems).what,
            problems[0].place,
            "Bind the class to a record that python -m jobs.find_disease shows, or load the "
            "database that has it.",
        )
    return names


def answers_for(models: Iterable[ListedModel], database: DiseaseDatabase) -> dict[str, bytes]:
    """Return Y as JSON for each disease of models, by its id, as far as the database has it."""
    ids = sorted({one for model in models for one in model.diseases})
    answers = {one: database.answer_for(one) for one in ids}
    return {
        one: answer.model_dump_json(indent=1).encode()
        for one, answer in answers.items()
        if answer is not None
    }


def of_disease(
    models: Iterable[ListedModel], disease: str, database: DiseaseDatabase
) -> list[ListedModel]:
    """Return the models that tell a disease apart, asked for by any code, name or synonym.

    Raises:
        InputError: it names a vocabulary, with a colon, and is no code of it.
    """
    meant = {match.disease_id for match in database.find(disease, words=False)}
    return [one for one in models if meant & set(one.diseases) or disease in one.diseases]
