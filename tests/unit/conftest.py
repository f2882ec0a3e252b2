"""Unit tests start no Ray and never wait."""

import sys
from typing import NoReturn

import pytest


def _refuse_ray(*_: object, **__: object) -> NoReturn:
    pytest.fail("a unit test must not start Ray")


def _refuse_sleep(*_: object) -> NoReturn:
    pytest.fail("a unit test must not sleep: time is an argument")


@pytest.fixture(autouse=True)
def _no_ray_and_no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.modules.get("ray") is None:
        monkeypatch.setitem(sys.modules, "ray", None)  # importing it now raises ImportError
    else:
        monkeypatch.setattr("ray.init", _refuse_ray)
    monkeypatch.setattr("time.sleep", _refuse_sleep)
