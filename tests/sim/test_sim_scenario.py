"""Every knob of the simulator is settable by name and refused by name."""

from __future__ import annotations

import pytest

from trivet.errors import SettingsError
from trivet.sim import constants
from trivet.sim.scenario import Faults, Latency, Scenario


def test_options_of_every_type_are_parsed_from_strings() -> None:
    """Whole numbers, fractions, switches, words and nested names."""
    parsed = Scenario.parse(
        {
            "tier": "1",
            "rpm": "3_000",
            "refill": "window",
            "time_scale": "0.5",
            "refused_count": "off",
            "null": "yes",
            "ramp_from": "none",
            "latency.ttft": "0.2",
            "faults.reset": "0.1",
            "faults.cut": "0.2",
        }
    )
    assert parsed == Scenario(
        tier=1,
        rpm=3000,
        refill="window",
        time_scale=0.5,
        refused_count=False,
        null=True,
        latency=Latency(ttft=0.2),
        faults=Faults(reset=0.1, cut=0.2),
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"faults.rest": "0.1"}, "did you mean faults.reset"),
        ({"zzz": "1"}, "no option 'zzz'"),
        ({"tier": "7"}, "between 1 and 5"),
        ({"tier": "one"}, "whole number"),
        ({"faults.reset": "1.5"}, "faults.reset"),
        ({"faults.reset": "nan"}, "faults.reset"),
        ({"faults.reset": "0.6", "faults.cut": "0.6"}, "more than 1"),
        ({"null": "perhaps"}, "true or false"),
        ({"refill": "sometimes"}, "continuous, window"),
        ({"latency": "3"}, "no option 'latency'"),
        ({"latency.tokens_per_s": "0"}, "latency.tokens_per_s"),
        ({"rpm": "0"}, "rpm"),
        ({"seed": "99999999999999999999"}, "64 bits"),
        ({"time_scale": "inf"}, "time_scale"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(options: dict[str, str], words: str) -> None:
    """The sentence names the option and what is allowed."""
    with pytest.raises(SettingsError, match=words):
        Scenario.parse(options)


def test_json_keeps_every_knob_and_garbage_is_refused() -> None:
    """What is written is read back; anything else is a SettingsError."""
    scenario = Scenario(seed=-3, tier=2, faults=Faults(html=0.25), latency=Latency(spread=0))
    assert Scenario.from_json(scenario.to_json()) == scenario
    for garbage in ("", "[]", '{"tier": "x"}', '{"nope": 1}', '{"tier": 9}'):
        with pytest.raises(SettingsError):
            Scenario.from_json(garbage)


def test_identity_names_the_scenario_and_its_seed() -> None:
    """Equal scenarios share it; another seed, tier or fault changes it."""
    same = Scenario(seed=4).identity()
    assert same == Scenario(seed=4).identity()
    assert "seed=4" in same
    assert len({same, Scenario().identity(), Scenario(seed=4, tier=1).identity()}) == 3


def test_every_constant_is_described_with_unit_and_source() -> None:
    """Names are unique, nothing is without a source, and the assumed ones say so."""
    rows = constants.describe()
    assert len({row.name for row in rows}) == len(rows)
    assert all(row.name and row.unit and row.source for row in rows)
    by_name = {row.name: row for row in rows}
    assert by_name["gpt-5.4-mini.tokens_per_s"].value == 168
    assert by_name["tier1.nano.tpm"].value == 200_000
    assert by_name["usage.message"].source == "assumed"
    assert by_name["figures.tokens"].value == "exact"
    assert by_name["figures.latency"].value == "assumed"
