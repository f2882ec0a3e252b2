"""From what a model recognised to what is known of it: R in, Y out (C8).

A result is believed as far as its model goes: the version, its classes and their diseases are those
of the list and the bundle, never those that the caller states.
"""

from cluster.contracts.diagnosis import Result, ResultAnswer
from cluster.contracts.image_models import UNKNOWN, Bundle, ListedModel, ModelList
from cluster.errors import Conflict, InputError, NotFound
from cluster.flow.diseases import DiseaseDatabase

OUTSIDE = "The image is outside of what this model knows, so nothing is said about a disease."
NO_DISEASE = "The model tells this class apart; it is not bound to a disease."
NO_RECORD = "The class stands for a disease of which the database that serves has no record."
FOUND = "The model finds this class the most probable one; what is known of its disease follows."
AGAIN = "Recognise the image again with the version that serves."


def listed_version(models: ModelList, result: Result) -> ListedModel:
    """Return the published version that gave a result.

    Args:
        models: the list as everybody may see it.
        result: R.

    Raises:
        NotFound: there is no such version of the model.
        Conflict: it was withdrawn.
        InputError: the version does not have that class or file, or the result contradicts itself.
    """
    for one in models.models:
        if (one.version, one.name) == (result.version, result.model):
            _check(one, result)
            return one
    what = "the list has no such version of this model"
    raise NotFound(what, "version", "List the models.")


def _check(listed: ListedModel, result: Result) -> None:
    if listed.state != "published":
        what = f"version {listed.number} of {listed.name} was withdrawn"
        raise Conflict(what, "version", AGAIN)
    remedy = f"Its classes are: {', '.join(listed.labels)}; or {UNKNOWN}."
    if result.label != UNKNOWN and result.label not in listed.labels:
        what = "the model has no such class"
        raise InputError(what, "label", remedy)
    if not set(result.probabilities) <= set(listed.labels):
        what = "a probability is of a class that the model does not have"
        raise InputError(what, "probabilities", remedy)
    if result.outside != (result.label == UNKNOWN):
        what = f"an image is outside exactly if its label is {UNKNOWN}"
        raise InputError(what, "outside", "Send what the device gave.")
    if result.variant not in listed.sizes:
        what = "the version has no such file"
        raise InputError(what, "variant", f"It has: {', '.join(listed.sizes)}.")


def answer_of_result(
    result: Result, listed: ListedModel, bundle: Bundle, database: DiseaseDatabase
) -> ResultAnswer:
    """Return what is known of a result.

    Args:
        result: R.
        listed: its version, as ``listed_version`` gave it.
        bundle: of that version.
        database: the disease database that serves.

    Raises:
        InputError: the result names another disease than its class has.
    """
    bound = {one.label: one.disease_id for one in bundle.labels}.get(result.label, "")
    if result.disease_id not in ("", bound):
        what = "the class of the model is bound to another disease, or to none"
        raise InputError(what, "disease_id", "Send what the device gave.")
    disease = database.answer_for(bound) if bound else None
    if result.outside:
        meaning = OUTSIDE
    elif not bound:
        meaning = NO_DISEASE
    else:
        meaning = FOUND if disease else NO_RECORD
    return ResultAnswer(
        model=listed.name,
        version=listed.version,
        number=listed.number,
        accuracy=listed.accuracy,
        label=result.label,
        probability=result.probability,
        meaning=meaning,
        disease=disease,
    )
