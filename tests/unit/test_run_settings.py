"""With which settings and files a run is begun, and taken up again."""

from pathlib import Path

import pytest
from builders import a_plan

from actors.run import check_files, settings_of
from cluster.errors import Conflict, SourceUnreadable
from cluster.flow.plan import PLAN, keep_plan, read_plan
from cluster.settings import load_settings
from cluster.storage.files import write_durably


@pytest.mark.parametrize(
    "old", [{}, {"literature_path": "", "ncbi_email": "old@x.org", "ncbi_url": "https://x.org"}]
)
def test_literature_is_asked_for_at_each_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: dict[str, str]
) -> None:
    """A12: environment and ``--set`` count when a run is taken up, with plans of old too."""
    plan = a_plan(settings=load_settings({"related_max": "7"}).texts() | old)
    write_durably(tmp_path / PLAN, plan.model_dump_json().encode())
    monkeypatch.setenv("DAZZLE_NCBI_EMAIL", "new@x.org")
    monkeypatch.setenv("DAZZLE_LITERATURE_PATH", "/papers.tsv")
    kept = read_plan(tmp_path)
    settings = settings_of(kept, tmp_path, {"ncbi_url": "https://y.org"})
    assert (settings.ncbi_email, settings.literature_path) == ("new@x.org", "/papers.tsv")
    assert (settings.ncbi_url, settings.related_max) == ("https://y.org", 7)
    now = plan.model_copy(update={"settings": load_settings({"related_max": "7"}).texts()})
    assert keep_plan(tmp_path, now) == kept


def test_other_settings_are_those_of_the_plan(tmp_path: Path) -> None:
    """A13: whatever is not literature, or a place, stays as the run was begun."""
    with pytest.raises(Conflict, match="related_max=5"):
        settings_of(a_plan(), tmp_path, {"related_max": "6"})


@pytest.mark.parametrize("name", ["ranking_path", "prevalence_path"])
def test_a_wrong_file_is_found_before_a_run_begins(tmp_path: Path, name: str) -> None:
    """A2 A4: weights and published rates are read at the beginning, when a path can be mended."""
    with pytest.raises(SourceUnreadable, match="nowhere"):
        check_files(load_settings({name: str(tmp_path / "nowhere")}))
    check_files(load_settings())
