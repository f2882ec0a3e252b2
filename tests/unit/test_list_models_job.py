"""How the registry is listed for a person (C11)."""

import io

import pytest
from bundle_builders import a_bundle
from rich.console import Console

from cluster.contracts.image_models import ListedModel, ModelList
from cluster.contracts.registry import ModelChange, Registered
from cluster.models.bundle import version_of
from cluster.models.image_list import entry_of
from cluster.models.listing import algorithm_rows, image_model_row
from jobs.list_models import cells_of, reason_lines, registry_table


def entry() -> ListedModel:
    bundle, _ = a_bundle("chest-x-rays", config='{"epochs":3,' + '"x":1,' * 90 + '"y":2}')
    return entry_of(bundle, version_of(bundle), "", {}, 1.0)


def rows() -> list[Registered]:
    bundle, _ = a_bundle("chest-x-rays", config='{"epochs":3,' + '"x":1,' * 90 + '"y":2}')
    listed, version = entry(), version_of(bundle)
    change = ModelChange(
        name=listed.name, version=version, action="published", at=1.0, by="jobs.fit_inception"
    )
    serving = listed.model_copy(update={"state": "published", "serving": True})
    return [*algorithm_rows(), image_model_row(serving, bundle, [change])]


@pytest.mark.parametrize("width", [100, 120])
def test_the_table_of_the_registry_fits_a_terminal(width: int) -> None:
    """C11: names, states and short versions stand whole in a line; no digest fills the page."""
    screen = Console(file=io.StringIO(), width=width)
    with screen.capture() as captured:
        screen.print(registry_table(rows()))
    lines = captured.get().splitlines()
    version = entry().version
    words = ("chest-x-rays", version[:12], "published,", "serving", "inception_v3", "seed: 0")
    assert [one for one in words if not any(one in line for line in lines)] == []
    assert any(f"blobs/{version[:2]}/{version[:12]}…" in line for line in lines)
    assert any("Z published by" in line for line in lines)
    assert max(map(len, lines)) <= width and len(lines) < 60
    assert not any(version[12:24] in line for line in lines)


def test_a_model_is_listed_with_what_its_figures_are_of() -> None:
    """C4 C10: a share with its images and interval; a model that never says unknown is marked."""
    assert "36 of 40, 90 % (77–96)" in cells_of(entry())
    bare = entry().model_copy(update={"tells_outside": False})
    assert any("always one of these" in cell for cell in cells_of(bare))


def test_why_a_version_waits_stands_below_the_table() -> None:
    """C9: a sentence is not squeezed into a column."""
    waits = entry().model_copy(update={"reason": "it is at chance"})
    models = ModelList(made_at=0.0, models=(entry(), waits))
    assert reason_lines(models) == ["chest-x-rays 1, pending: it is at chance"]
