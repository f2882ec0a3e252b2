"""What all tests share: the real data, one small ontology, hypothesis without a clock."""

import os
from pathlib import Path

import pytest
from builders import a_small_ontology
from hypothesis import settings

from cluster.ontology import Ontology

settings.register_profile("dazzle", deadline=None, database=None, print_blob=True)
settings.load_profile("dazzle")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published case reports: ``TEST_DATA_DIR``, else ``shared/data`` beside us."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TEST_DATA_DIR", beside))
    if not (folder / "phenopackets" / "index.tsv").is_file():
        pytest.skip("no published cases here; set TEST_DATA_DIR to their folder")
    return folder


@pytest.fixture(scope="session")
def small_ontology() -> Ontology:
    """Ten terms in two organ systems; see ``builders.TERM_ROWS``."""
    return a_small_ontology()
