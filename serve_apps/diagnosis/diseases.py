"""Routes of diseases: a question or a result in, what is known out (C8)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request

from cluster.contracts.diagnosis import Result, ResultAnswer
from cluster.contracts.disease import DiseaseAnswer
from cluster.contracts.related import DiseaseQuestion, NetworkCases
from cluster.errors import InputError, NotFound
from cluster.flow.cases_of_disease import answer_and_question
from cluster.flow.diseases import OTHERS_MAX, DiseaseDatabase
from cluster.flow.results import answer_of_result, listed_version
from cluster.settings import Settings
from cluster.storage.diseases import DiseaseShelf
from serve_apps.diagnosis.examples import RESULT
from serve_apps.diagnosis.ports import DiagnosisPorts
from serve_apps.diagnosis.public import PublicFolder
from serve_apps.http.guard import caller_of


class Diseases:
    """The disease database that serves, opened anew when another one does."""

    def __init__(self, settings: Settings) -> None:
        """Remember where it is."""
        self._folder = settings.data_dir
        self._shelf = DiseaseShelf(settings.data_dir)
        self._opened: tuple[str, DiseaseDatabase] | None = None

    def serving(self) -> DiseaseDatabase:
        """Return the version that serves, else the demo table.

        Raises:
            StoreUnavailable: its tables are missing.
            IntegrityError: its tables are damaged.
        """
        card = self._shelf.serving()
        digest = card.digest if card else ""
        opened = self._opened
        if opened is None or opened[0] != digest:
            opened = self._opened = (digest, DiseaseDatabase.of(self._folder))
        return opened[1]

    def question(self, query: str, limit: int) -> DiseaseQuestion:
        """Return what platforms are asked; raises as ``answer_and_question``."""
        return answer_and_question(self.serving(), query, limit)[1]

    @staticmethod
    @contextmanager
    def asked(place: str) -> Iterator[None]:
        """Refuse a question that cannot be asked, without repeating it.

        Raises:
            InputError: it names a vocabulary, with a colon, and is no code of it.
            NotFound: no record has this code or name.
        """
        try:
            yield
        except NotFound:
            what = "no record has this code or name"
            raise NotFound(what, place, "Look for it with GET diseases.") from None
        except InputError as error:
            what = "the question names a vocabulary and is no code of it"
            raise InputError(what, place, error.remedy) from None


def add_diseases(made: APIRouter, ports: DiagnosisPorts, diseases: Diseases) -> None:
    """Add the routes of diseases to those of the diagnosis application."""
    folder = PublicFolder(ports.settings.data_dir)

    @made.get("/diseases")
    def find_disease(
        query: Annotated[str, Query(min_length=1, max_length=200)],
        others: Annotated[int, Query(ge=0, le=100, description="further candidates")] = OTHERS_MAX,
    ) -> DiseaseAnswer:
        """Get what is known of a disease, asked by a code, a name or words."""
        database = diseases.serving()
        with diseases.asked("query"):
            answer = database.answer(query, others)
        if answer is None:
            what = f"no disease was found in {database.card.name}"
            raise NotFound(what, "query", "Ask by a code, a name or other words.")
        return answer

    @made.get("/platforms/{platform}/rare-cases")
    async def rare_cases(
        request: Request,
        platform: str,
        disease: Annotated[str, Query(min_length=1, max_length=200, description="code or name")],
        limit: Annotated[int, Query(ge=1, le=100, description="cases of one platform")] = 20,
    ) -> NetworkCases:
        """Get the rare cases of a disease that a platform may know of, on the whole network (C8).

        The platform and all that it has an agreement with are asked, which tells them the disease:
        an audit row says so before. Each has 20 seconds; who did not answer is named with the
        reason, which says nothing of its cases. A case has a name made for this platform.
        """
        with diseases.asked("disease"):
            question = await asyncio.to_thread(diseases.question, disease, limit)
        return await ports.cases.cases_of_disease(platform, question, caller_of(request).name)

    @made.post("/results")
    def answer_result(
        result: Annotated[Result, Body(openapi_examples=RESULT)],
    ) -> ResultAnswer:
        """Get what is known of a result R of a device. R has no image, and none is taken."""
        listed = listed_version(folder.models(), result)
        bundle = folder.bundle(listed.version)
        return answer_of_result(result, listed, bundle, diseases.serving())
