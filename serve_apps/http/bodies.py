"""Bodies of a thousand rows: read in one go, and described where the framework looks past them."""

from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from serve_apps.http.guard import not_json

Asked = TypeVar("Asked", bound=BaseModel)


def read_body(form: type[Asked], body: bytes, *, strict: bool = False) -> Asked:
    """Read JSON into a form; rows that become Python values first take twice as long.

    Args:
        form: of the body.
        body: JSON.
        strict: whether a text or a truth value is no number.

    Raises:
        Refused: it is no JSON.
        RequestValidationError: it has not the form.
    """
    try:
        return form.model_validate_json(body, strict=strict)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        if faults[0]["type"] == "json_invalid":
            raise not_json() from None
        raise RequestValidationError(faults) from None


def schema_of(form: type[BaseModel], rows: str) -> dict[str, Any]:
    """Return the schema of a form with that of its rows inside: OpenAPI would look elsewhere.

    Args:
        form: with one definition of its own, that of a row.
        rows: name of the field that holds them.
    """
    schema = form.model_json_schema()
    (row,) = schema.pop("$defs").values()
    schema["properties"][rows]["items"] = row
    return schema
