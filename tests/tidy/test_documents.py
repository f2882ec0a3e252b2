"""Documents say what the code says."""

import re
from pathlib import Path

from cluster.settings import Settings
from cluster.standards.mme.versions import MmeProblem
from serve_apps.http.problems import HTTP_CODES, STATUS

ROOT = Path(__file__).parents[2]


def test_every_setting_is_in_the_operators_page() -> None:
    """Docs: name, default and meaning of each setting, and no others."""
    page = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    part = page.split("## Settings")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| (.*) \|$", part, re.MULTILINE)
    known = [
        (name, str(field.default) if field.default != "" else "none", field.description)
        for name, field in Settings.model_fields.items()
    ]
    assert [tuple(row) for row in rows] == known


def test_links_between_documents_lead_somewhere() -> None:
    """Docs: no link of README, CONTRIBUTING or docs is broken."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert len(pages) > 8
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_job_of_the_documents_exists() -> None:
    """Docs: a command that a page shows can be typed."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {n for p in pages for n in re.findall(r"jobs\.([a-z_]+)", p.read_text("utf-8"))}
    assert named and all((ROOT / "jobs" / f"{name}.py").exists() for name in named)


def test_every_code_of_an_error_has_its_page() -> None:
    """Docs: the page of each code that a service may answer, and no other."""
    folder = ROOT / "docs" / "errors"
    named = {*STATUS, *HTTP_CODES.values(), *_codes_of_refusals(), MmeProblem.code}
    assert {path.stem for path in folder.glob("*.md")} - {"README"} == named


def _codes_of_refusals() -> set[str]:
    files = (ROOT / "serve_apps").rglob("*.py")
    return {code for file in files for code in re.findall(r'code="(\w+)"', file.read_text())}
