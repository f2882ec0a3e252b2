"""Unknown settings and values out of range never start a cluster."""

import os

import pytest
from pydantic import ValidationError

from cluster.errors import SettingInvalid
from cluster.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DAZZLE_")]:
        monkeypatch.delenv(name)


def test_environment_and_overrides_are_read_in_this_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A13: a job's own settings win over the environment, which wins over the defaults."""
    monkeypatch.setenv("DAZZLE_PERIOD_DAYS_REF", "10")
    monkeypatch.setenv("DAZZLE_RELATED_MAX", "7")
    settings = load_settings({"period_days_ref": "12"})
    assert (settings.period_days_ref, settings.related_max) == (12.0, 7)
    assert settings.period_days_max == Settings.model_fields["period_days_max"].default


def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A13: a misspelt variable is an error that names it, not a silent default."""
    monkeypatch.setenv("DAZZLE_PERIOD_DAYS_RFE", "10")
    with pytest.raises(SettingInvalid, match="period_days_rfe"):
        load_settings()


def test_an_unknown_override_is_named() -> None:
    """A13: a misspelt override is an error that names it and lists what is known."""
    with pytest.raises(SettingInvalid, match="related_mx") as caught:
        load_settings({"related_mx": "3"})
    assert "related_max" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("person_years_at_risk", "-1"),
        ("person_years_at_risk", "inf"),
        ("first_screening_share", "1.01"),
        ("incidence_preset_per_100k", "0"),
        ("incidence_prior_strength", "0"),
        ("incidence_prior_strength", "inf"),
        ("period_days_ref", "0"),
        ("period_days_ref", "nan"),
        ("period_days_max", "3651"),
        ("visits_per_day_ref", "0"),
        ("visits_per_day_ref", "inf"),
        ("share_index_min", "-0.1"),
        ("share_index_max", "1.1"),
        ("propagation_preset", "2"),
        ("forgetting_max", "-0.1"),
        ("forgetting_max", "inf"),
        ("lease_s", "0"),
        ("lease_s", "inf"),
        ("attempts_max", "0"),
        ("attempts_max", "1.5"),
        ("refresh_days", "0"),
        ("related_max", "101"),
        ("related_max", "many"),
        ("train_workers", "0"),
        ("train_epochs_max", "0"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_name(name: str, value: str) -> None:
    """A13: every bound is checked, and the message says which setting it is."""
    with pytest.raises(SettingInvalid) as caught:
        load_settings({name: value})
    assert caught.value.where == name


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_ends_of_a_share_are_allowed(value: str) -> None:
    """A2: a share includes both of its ends."""
    assert load_settings({"first_screening_share": value}).first_screening_share == float(value)


@pytest.mark.parametrize(
    ("low", "high"),
    [("period_days_min", "period_days_max"), ("share_index_min", "share_index_max")],
)
def test_ranges_are_ordered(low: str, high: str) -> None:
    """A5 A10: a range whose lower end is above its upper end is refused; equal ends are not."""
    assert load_settings({low: "0.9", high: "0.9"})
    with pytest.raises(SettingInvalid, match=f"{low} is above {high}"):
        load_settings({low: "0.9", high: "0.8"})


def test_settings_do_not_change() -> None:
    """A13: nobody alters the settings of a running flow."""
    with pytest.raises(ValidationError):
        load_settings().related_max = 3  # type: ignore[misc]  # that is the test
