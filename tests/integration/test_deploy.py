"""``serve deploy`` of the shipped configuration, with each way in which the code may come (B9)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from serve_apps.share.examples import PHENOPACKET
from tests.integration.deployed import (
    PACKAGES,
    Head,
    a_head,
    an_environment,
    built_wheel,
    copied_source,
    from_folder,
    shipped_config,
    until,
)

NORTH = "/share/v1/platforms/north"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = copied_source(tmp_path_factory.mktemp("source"))
    return built_wheel(source, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_every_file_that_the_packages_have(wheel: Path, tmp_path: Path) -> None:
    source = copied_source(tmp_path)
    files = [path for name in PACKAGES for path in (source / name).rglob("*") if path.is_file()]
    missing = {str(path.relative_to(source)) for path in files} - set(ZipFile(wheel).namelist())
    assert not missing


@pytest.fixture(params=["wheel", "folder"])
def head(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Head]:
    """All applications on a head that knows the code in this way only."""
    (typed := tmp_path / "typed").mkdir()
    with ExitStack() as stack:
        if request.param == "wheel":
            python = an_environment(tmp_path / "env", request.getfixturevalue("wheel"))
            (code,) = (tmp_path / "env").glob("lib/*/site-packages")
            config = shipped_config(code)
        else:
            python, config = an_environment(tmp_path / "env"), from_folder(typed)
        head = stack.enter_context(a_head(python, typed, calls_burst="77"))
        head.deploy(config)
        until(head.is_running)
        yield head


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_what_is_deployed_answers(head: Head) -> None:
    """Applications, actors, files of the packages and settings are all there."""
    token = {"Authorization": f"Bearer {head.token()}"}
    with httpx.Client(base_url=head.url, timeout=60) as public:
        assert public.get("/share/v1/info").json()["limits"]["calls_burst"] == 77
        assert public.get("/prediction/v1/v2/health/ready").json() == {"ready": False}
        assert public.get("/diagnosis/v1/models").json()["models"] == []
        assert public.get("/diagnosis/v1/diseases?query=ORPHA:558").status_code == 200
        assert public.get("/beacon/info").json()["response"]["name"] == "Dazzle"
        assert public.get(f"{NORTH}/cases").status_code == 401
        assert public.get(f"{NORTH}/cases", headers=token).status_code == 404
    with httpx.Client(base_url=head.url, timeout=60, headers=token) as operator:
        assert operator.put(NORTH, json={"person_years_at_risk": 1e6}).status_code == 200
        assert operator.post(f"{NORTH}/cases", json=PHENOPACKET).json()["result"] == "added"
        found = operator.post(f"{NORTH}/search", json={"terms": ["HP:0001250"]}).json()
        assert [one["case_id"] for one in found["hits"]] == [PHENOPACKET["id"]]
    assert (head.folder / "data/platforms/north/ledger.sqlite").is_file()
