"""Routes of prediction: the models, and indexes of counts and of a platform's cases (A7, A13)."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from cluster.contracts.prediction import (
    CasesAsked,
    CountsAsked,
    IndexesTold,
    TrendModels,
)
from cluster.contracts.trend import Prediction
from cluster.errors import InputError
from cluster.trend.counted import counted, digests, windows_of
from serve_apps.http.application import router
from serve_apps.http.bodies import read_body, schema_of
from serve_apps.http.guard import body_limit
from serve_apps.prediction.examples import CASES, COUNTS
from serve_apps.prediction.inference_protocol import add_inference_protocol, serving_models
from serve_apps.prediction.ports import PredictionPorts

PREFIX: Final = "/prediction/v1"
COUNTS_MIB: Final = 1.0
CASES_MIB: Final = 0.5
NOT_COVERED: Final = "period_not_covered"
NO_WINDOW: Final = "no_window"
Row = dict[str, object]


def routes(ports: PredictionPorts) -> APIRouter:
    """Return the routes over a cluster."""
    made = router(PREFIX)
    add_inference_protocol(made, ports)
    _add_models(made, ports)
    _add_counts(made, ports)
    _add_cases(made, ports)
    return made


def _add_models(made: APIRouter, ports: PredictionPorts) -> None:
    @made.get("/models")
    async def list_models() -> TrendModels:
        """List the trend models: which serve and are ready, and the lineage and figures of all."""
        serving = await serving_models(ports)
        return TrendModels(serving=tuple(serving), models=ports.serving().cards)


def _add_counts(made: APIRouter, ports: PredictionPorts) -> None:
    extra = body_limit(COUNTS_MIB) | _body(schema_of(CountsAsked, "items"), COUNTS)

    @made.post("/indexes", openapi_extra=extra, response_model=IndexesTold)
    async def indexes(request: Request) -> Response:
        """Get the prediction index of 1 to 1,000 items from the counts of their period.

        The same counts give the same index as in the flow. Nothing is stored: it is a question of
        what were if. An item's answer does not depend on the other items.
        """
        asked = read_body(CountsAsked, await request.body(), strict=True)
        columns = counted(asked.items, asked.period_end, asked.period_days)
        model = await ports.models.get(ports.serving().asked(asked.model).version)
        features = model.features(windows_of(columns))
        ids, made_of = [item["id"] for item in asked.items], digests(columns)
        if not model.covers(features).all():  # all items have one period
            rows = [_none(*one, NOT_COVERED) for one in zip(ids, made_of, strict=True)]
            return _told(model.version, model.role, rows)
        said = model.forecast(features)
        figures = (said.hot_W.tolist(), said.surge_W.tolist(), said.y_W.tolist())
        rows = [
            {"id": i, "index": hot, "surge": surge, "log_growth": y, "inputs_digest": d}
            for i, hot, surge, y, d in zip(ids, *figures, made_of, strict=True)
        ]
        if asked.explain:
            _explain(rows, {group: m.tolist() for group, m in model.moved(features).items()})
        return _told(model.version, model.role, rows)


def _add_cases(made: APIRouter, ports: PredictionPorts) -> None:
    extra = body_limit(CASES_MIB) | _body(CasesAsked.model_json_schema(), CASES)

    @made.post("/platforms/{platform}/indexes", openapi_extra=extra, response_model=IndexesTold)
    async def case_indexes(request: Request, platform: str) -> Response:
        """Get the prediction index of up to 1,000 rare cases of a platform, by id.

        The platform counts their accesses, and each index is kept with its model version and the
        digest of its inputs before it is told. A case without an index has the reason instead.
        """
        asked = read_body(CasesAsked, await request.body(), strict=True)
        card = ports.serving().asked(asked.model)
        now = ports.clock.now()
        period_end = now if asked.period_end is None else asked.period_end
        if period_end > now:
            what = "the period ends in the future"
            raise InputError(what, "period_end", "Leave it out for the period that ends now.")
        where = await ports.platform(platform)
        windows = await where.access_windows(period_end, 0.0)
        among = pa.array(sorted({*asked.case_ids}), pa.string())
        windows = windows.filter(pc.is_in(windows["item_id"], value_set=among))
        predicted = await ports.trend.predict(card.version, windows)
        known = {one.item_id: _row(one) for one in predicted}
        if asked.explain and known:
            await _explain_cases(ports, card.version, windows, known)
        cut = {*windows["item_id"].to_pylist()}
        rows = [
            known.get(case_id) or _none(case_id, None, NOT_COVERED if case_id in cut else NO_WINDOW)
            for case_id in asked.case_ids
        ]
        return _told(card.version, card.role, rows)


async def _explain_cases(
    ports: PredictionPorts, version: str, windows: pa.Table, known: dict[str, Row]
) -> None:
    """Add what moved the index of each case that has one."""
    mine = windows.filter(pc.is_in(windows["item_id"], value_set=pa.array([*known], pa.string())))
    model = await ports.models.get(version)
    moved = {group: m.tolist() for group, m in model.moved(model.features(mine)).items()}
    _explain([known[str(case_id)] for case_id in mine["item_id"].to_pylist()], moved)


def _row(one: Prediction) -> Row:
    return {
        "id": one.item_id,
        "index": one.index,
        "surge": one.surge,
        "log_growth": one.log_growth,
        "inputs_digest": one.inputs_digest,
    }


def _none(item_id: str, digest: str | None, reason: str) -> Row:
    none = dict.fromkeys(("index", "surge", "log_growth"))
    return {"id": item_id, **none, "inputs_digest": digest, "reason": reason}


def _explain(rows: Sequence[Row], moved: dict[str, list[float]]) -> None:
    for place, row in enumerate(rows):
        row["moved"] = {group: column[place] for group, column in moved.items()}


def _told(version: str, role: str, rows: Sequence[Row]) -> Response:
    """Write an answer; its rows are as ``ItemIndex``, which takes too long to make each."""
    content = to_json({"model_version": version, "role": role, "items": rows})
    return Response(content, media_type="application/json")


def _body(schema: dict[str, Any], example: object) -> dict[str, Any]:
    """Describe a body that is read by the route itself."""
    described = {"schema": schema, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": described}}}
