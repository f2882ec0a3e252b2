"""How a first model is trained, as a scientist writes it down."""

from dataclasses import asdict, replace

import pytest

from cluster.errors import SettingInvalid
from cluster.trend.config import config_from_json, config_to_json
from cluster.trend.fit import FitConfig
from cluster.trend.network import TrendNetworkConfig


def test_what_is_not_named_stays_as_it_was() -> None:
    """A6: a file names what it changes, down to one field of the network."""
    base = FitConfig(network=TrendNetworkConfig(depth=3), epochs_max=7, seed=3)
    assert config_from_json("{}", base) == base
    found = config_from_json('{"lr": 0.01, "network": {"width": 8}}', base)
    assert found == replace(base, lr=0.01, network=replace(base.network, width=8))


def test_a_configuration_comes_back_from_its_text() -> None:
    """A6: the text in a card is one that trains the same way again; it names every field."""
    config = config_from_json('{"patience": 3, "network": {"depth": 1}}')
    assert config_from_json(config_to_json(config), FitConfig(seed=9)) == config
    for name in asdict(config) | asdict(config.network):
        assert f'"{name}":' in config_to_json(config)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "config"),
        ("[]", "config"),
        ("{", "config"),
        ('{"epochs": 3}', "config.epochs"),
        ('{"lr": 0}', "config.lr"),
        ('{"lr": NaN}', "config.lr"),
        ('{"lr": null}', "config.lr"),
        ('{"batch_size": 0}', "config.batch_size"),
        ('{"batch_size": 2.5}', "config.batch_size"),
        ('{"batch_size": "64"}', "config.batch_size"),
        ('{"batch_size": true}', "config.batch_size"),
        ('{"epochs_max": 1000000}', "config.epochs_max"),
        ('{"patience": 0}', "config.patience"),
        ('{"seed": -1}', "config.seed"),
        ('{"label_weight": -0.5}', "config.label_weight"),
        ('{"network": {"dropout": 1.0}}', "config.network.dropout"),
        ('{"network": {"width": 1000000}}', "config.network.width"),
        ('{"network": {"wide": 1}}', "config.network.wide"),
        ('{"network": 3}', "config.network"),
    ],
)
def test_an_unknown_field_or_a_value_out_of_bounds_is_an_error(text: str, where: str) -> None:
    """A6: what is wrong and where; nothing is guessed at or passed over."""
    with pytest.raises(SettingInvalid) as caught:
        config_from_json(text)
    assert caught.value.where == where
    assert '"lr":' in caught.value.remedy
