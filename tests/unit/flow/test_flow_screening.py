"""Cases are screened by class, and the classes are kept with what they were screened by."""

from pathlib import Path

import pyarrow as pa
import pytest
from builders import a_phenopacket

from cluster.contracts.result import RatesFile, ScreeningBasis
from cluster.flow import cases, screening
from cluster.flow.platform import platform_folder
from cluster.flow.screening import AtRisk
from cluster.screening.incidence import ABOVE_PRESET, KEPT, NO_CLASS, NO_POPULATION, NOT_SCREENED
from cluster.screening.priors import Known, pooled
from cluster.storage.cases import set_state
from tests.unit.flow.world import (
    AT_RISK,
    NOW,
    a_pair,
    a_source,
    open_at,
    read,
    reopened,
    take_in,
)
from tests.unit.screening.knowledge import a_prior
from tests.unit.storage.test_platform_migrations import an_old_ledger

OLD_ROWS = (
    "INSERT INTO cases VALUES ('c', 1, 'd', 'north', 'active', 'share', 'OMIM:1', 'One', 'Heart', "
    "1.0, 1)",
    "INSERT INTO classes VALUES ('OMIM:1', 3, 1e6, 0.28, 0.07, 0.64, 0.2, 'background', 'kept')",
    "INSERT INTO classes VALUES ('OMIM:9', 1, 1e6, 0.12, 0.01, 0.37, 0.2, 'background', 'kept')",
)


def test_screening_ranks_rare_cases_first(tmp_path: Path) -> None:
    """A2: lowest incidence first, ranks only for rare cases, a reason for each of the others."""
    platform = open_at(tmp_path, incidence_preset_per_100k=0.25)
    packets = [a_phenopacket(f"c{n}", disease="OMIM:1") for n in range(3)]
    packets += [a_phenopacket("rare", disease="OMIM:9"), a_phenopacket("none", disease=None)]
    take_in(platform, *packets)
    report = screening.screening_report(platform)
    assert [row.class_id for row in report.classes] == ["OMIM:9", "OMIM:1"]
    assert [row.n_cases for row in report.classes] == [1, 3]
    assert report.classes[0].label == "Disease OMIM:9"
    # posterior means: prior 4 / (2 * 1e6), strength 0.5 -> rate 250,000 + 1e6 person-years
    assert [row.incidence for row in report.classes] == pytest.approx([0.12, 0.28])
    assert [row.middle for row in report.classes] == pytest.approx([0.0946, 0.2538], abs=1e-4)
    assert [(row.case_id, row.rank) for row in report.rare] == [("rare", 1)]
    reasons = {row.case_id: row.reason for row in report.cases}
    assert reasons["rare"] == KEPT
    assert reasons["c0"] == ABOVE_PRESET
    assert reasons["none"] == NO_CLASS
    assert screening.rare_case_ids(platform) == ["rare"]
    assert screening.screen_cases(platform, AT_RISK) == report


def test_received_cases_are_not_screened_as_own(tmp_path: Path) -> None:
    """A2: a platform's incidence counts its own people only, for itself and for the pool."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9, "b": 0.9})
    world.deliver()
    south = world.platforms["south"]
    report = screening.screen_cases(south, AT_RISK)
    assert [row.case_id for row in report.cases] == ["s"]
    assert [(row.class_id, row.n_cases) for row in report.classes] == [("OMIM:100", 1)]
    assert len(read(south, "SELECT case_id FROM cases")) == 3
    assert cases.category_mix(south) == {"Nervous system": 1.0}
    counted = screening.own_class_counts(south).to_pylist()
    assert counted == [{"class_id": "OMIM:100", "n_cases": 1}]


def test_withdrawn_cases_are_no_longer_rare(tmp_path: Path) -> None:
    """A2 B9: a withdrawn case is neither counted nor listed."""
    platform = open_at(tmp_path, at=NOW)
    take_in(platform, a_phenopacket("a"), a_phenopacket("b"))
    with platform.ledger.begin() as tx:
        set_state(tx, "a", state="withdrawn", consent="private")
    assert screening.rare_case_ids(platform) == ["b"]
    (row,) = screening.screen_cases(platform, AT_RISK).classes
    assert row.n_cases == 1


def test_a_report_says_what_it_was_made_with(tmp_path: Path) -> None:
    """A2: population and its origin, rule, presets, pool and file of rates outlive the process."""
    platform = open_at(tmp_path, screening_rule="strict")
    take_in(platform, a_phenopacket("a"))
    own = screening.own_class_counts(platform)
    other = pa.table({"class_id": ["OMIM:100"], "n_cases": [3]}, schema=own.schema)
    pool = pooled([(own, 1e6), (other, 1e6)])
    rates = RatesFile(file="r.csv", sha256="ab", records=1, without_rate=0, priors=1)
    known = Known(a_prior("OMIM:999", 0.03), pool)
    screening.screen_cases(platform, AtRisk(1e6, "assumed default"), known, rates)
    report = screening.screening_report(reopened(platform))
    assert report.basis == ScreeningBasis(
        person_years=1e6,
        at_risk_origin="assumed default",
        rule="strict",
        preset_per_100k=10.0,
        first_share=1.0,
        prior_strength=0.5,
        pooled_platforms=2,
        pooled_person_years=2e6,
        rates=rates,
    )
    (row,) = report.classes
    assert row.prior_mean == pytest.approx(0.2)
    assert row.prior_source.startswith("pooled: annual incidence, 4 in 2,000,000")


def test_an_unknown_population_keeps_every_case_back(tmp_path: Path) -> None:
    """A2: with N = 0 nothing is rare, and the report can be read."""
    platform = open_at(tmp_path)
    take_in(platform, a_phenopacket("a"))
    report = screening.screen_cases(platform, AtRisk(0.0, "stated"))
    assert [(row.reason, row.incidence_median) for row in report.classes] == [(NO_POPULATION, None)]
    assert report.rare == []
    assert screening.rare_case_ids(platform) == []


def test_a_class_that_came_in_later_is_not_screened_yet(tmp_path: Path) -> None:
    """A2: a case with a disease is never told that it has none; the next screening decides."""
    platform = open_at(tmp_path)
    take_in(platform, a_phenopacket("a"))
    screening.screen_cases(platform, AT_RISK)
    later = (a_phenopacket("b", disease="OMIM:7"), a_phenopacket("c", disease=None))
    folder = tmp_path / "sources"
    cases.ingest(platform, a_source(folder, *later, name="later"))
    reasons = {row.case_id: row.reason for row in screening.screening_report(platform).cases}
    assert reasons == {"a": KEPT, "b": NOT_SCREENED, "c": NO_CLASS}
    again = screening.screen_cases(platform, AT_RISK)
    assert {row.case_id: row.reason for row in again.cases} == {"a": KEPT, "b": KEPT, "c": NO_CLASS}


def test_a_ledger_of_the_first_release_goes_on(tmp_path: Path) -> None:
    """A2 B3: its classes stay in order and in force until the next screening."""
    an_old_ledger(platform_folder(tmp_path, "north") / "ledger.sqlite", *OLD_ROWS)
    platform = open_at(tmp_path)
    report = screening.screening_report(platform)
    assert report.basis is None
    assert [row.class_id for row in report.classes] == ["OMIM:9", "OMIM:1"]
    assert [row.incidence_median for row in report.classes] == [None, None]
    assert [row.middle for row in report.classes] == pytest.approx([0.12, 0.28])
    assert [row.case_id for row in report.rare] == ["c"]
    assert screening.screen_cases(platform, AT_RISK).basis is not None
