"""Proposes models of the list for a disease, the best first, and finds one by name (C10)."""

import unicodedata
from typing import Final

from cluster.contracts.image_models import ListedModel, ModelList, VariantName
from cluster.errors import InputError, NotFound

VARIANTS: Final[dict[str, VariantName]] = {"int8": "int8", "fp32": "fp32"}
NAMES_MAX: Final = 20
LIST_REMEDY: Final = "python -m cluster.device models lists what there is."


def folded(text: str) -> str:
    """Return a text without what does not count in a comparison: case, form, runs of blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def propose(models: ModelList, wanted: str = "") -> list[ListedModel]:
    """Return the serving models for a disease, the best first (C10).

    A model is for a disease whose id it tells apart, or all of whose words it names among its
    diseases, classes, name and summary. Better is the higher lower end of the accuracy's interval
    on images kept apart, so 4 of 4 is not before 95 of 100; then the higher accuracy, then the
    higher AUROC, then the smaller file; what nobody has measured comes last.

    Args:
        models: the list.
        wanted: an id such as ``MONDO:0005249``, or words; empty for all models.
    """
    serving = [one for one in models.models if one.serving and one.state == "published"]
    return sorted((one for one in serving if _is_for(one, folded(wanted))), key=_rank)


def _is_for(model: ListedModel, wanted: str) -> bool:
    if wanted in map(folded, model.diseases):
        return True
    texts = (*model.disease_names, *model.labels, model.name, model.summary)
    named = folded(" ".join(texts).replace("_", " ").replace("-", " "))
    words = wanted.replace("_", " ").replace("-", " ").split()
    return all(word in named for word in words)


def _rank(model: ListedModel) -> tuple[float, float, float, int, str]:
    smallest = min(model.sizes.values(), default=0)
    surely = model.accuracy_interval.low if model.accuracy_interval else 0.0
    figures = (-surely, -(model.accuracy or 0.0), -(model.macro_auroc or 0.0))
    return (*figures, smallest, model.name)


def version_named(models: ModelList, wanted: str) -> ListedModel:
    """Return the version of a name that serves, or with ``NAME@3`` the third, if published.

    Raises:
        InputError: what stands behind ``@`` is no number.
        NotFound: there is none, it is withdrawn, or none serves; which of these is told.
    """
    name, at, number = wanted.partition("@")
    if at and not number.isdecimal():
        what = f"{wanted!r} is not NAME or NAME@NUMBER"
        raise InputError(what, remedy=LIST_REMEDY)
    versions = [one for one in models.models if one.name == name]
    if at:
        versions = [one for one in versions if one.number == int(number)]
    published = [one for one in versions if one.state == "published"]
    found = published if at else [one for one in published if one.serving]
    if found:
        return found[-1]
    if versions and not published:
        last = versions[-1]
        reason = f": {last.reason}" if last.reason else ""
        what = f"{wanted} is {last.state}{reason}"
        raise NotFound(what, remedy=LIST_REMEDY)
    if published:
        newest = f"{name}@{max(one.number for one in published)}"
        what = f"no version of {name} serves; {newest} is published"
        raise NotFound(what, remedy=f"Give {newest} if you mean it.")
    others = sorted(
        one.number for one in models.models if (one.name, one.state) == (name, "published")
    )
    if others:
        what = f"there is no version {number} of {name}"
        raise NotFound(what, remedy=f"Published are: {', '.join(map(str, others))}.")
    what = f"no model of the list is {wanted[:80]!r}"
    names = sorted({one.name for one in models.models if one.state == "published"})
    there = f" There are: {', '.join(names[:NAMES_MAX])}." if names else ""
    raise NotFound(what, remedy=LIST_REMEDY + there)


def disease_named(models: ModelList, wanted: str) -> str:
    """Return the id of a disease of the list by its id or its name; an unknown id as it is.

    Raises:
        NotFound: it is no id, and no disease of the list, or several, have that name.
    """
    if ":" in wanted:
        return wanted
    pairs = {
        (disease, folded(name))
        for one in models.models
        for disease, name in zip(one.diseases, one.disease_names, strict=False)
    }
    found = sorted({disease for disease, name in pairs if name == folded(wanted)})
    if len(found) == 1:
        return found[0]
    what = f"{len(found) or 'no'} diseases of the list are called {wanted[:80]!r}"
    raise NotFound(what, ", ".join(found), "Give the id, such as MONDO:0005249.")


def variant_named(wanted: str) -> VariantName:
    """Return a variant.

    Raises:
        InputError: there is none of that name.
    """
    if wanted not in VARIANTS:
        what = f"{wanted[:40]!r} is no variant"
        raise InputError(what, "--variant", f"Take {' or '.join(VARIANTS)}.")
    return VARIANTS[wanted]


def variant_of(model: ListedModel, wanted: VariantName) -> VariantName:
    """Return the variant that is wanted, or the reference of a model that has no other."""
    return "fp32" if set(model.sizes) == {"fp32"} else wanted
