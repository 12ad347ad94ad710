from __future__ import annotations

from typing import Any

import pytest

from trivet.errors import TaskError
from trivet.tasks.plan import EFFORTS, Plan, check_effort, check_model


def test_a_plan_adds_the_provider_s_fields() -> None:
    assert Plan().fields() == {}
    assert Plan(effort="low", verbosity="high", tier="fast", model="x").fields() == {
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "high"},
        "service_tier": "fast",
    }
    assert Plan(tier="standard").fields() == {"service_tier": "default"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effrt": "low"}, r"unknown option 'effrt' of a plan \(did you mean 'effort'\?\)"),
        ({"zzz": 1}, "it has model, effort, verbosity, tier"),
        ({"pack": 10}, "'pack' is not available in this version"),
        ({"tier": "batch"}, "'batch' is not available in this version"),
        ({"tier": "flexx"}, "did you mean 'flex'"),
        ({"effort": "lo"}, "effort must be one of none, minimal, low"),
        ({"effort": 3}, "effort must be one of"),
        ({"effort": ["low"]}, "effort must be one of"),
        ({"verbosity": "loud"}, "verbosity must be one of low, medium, high"),
        ({"model": ""}, "model must be the name"),
        ({"model": 5}, "model must be the name"),
    ],
)
def test_an_option_a_plan_can_t_have_is_a_task_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        Plan.of(options)


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("gpt-5.4-mini", {"minimal", "max"}),
        ("gpt-5.4-mini-2026-03-17", {"minimal", "max"}),
        ("gpt-5.4-pro", {"none", "minimal", "low", "max"}),
        ("gpt-6-luna", {"minimal"}),
        ("gpt-6-astra", {"none"}),
        ("gpt-6.2-sol", {"none", "minimal"}),
        ("gpt-5.6-terra", {"minimal"}),
        ("gpt-5.5", set()),
        ("gpt-6.1-terra", set()),
        ("my-own-model", set()),
    ],
)
def test_an_effort_is_refused_for_exactly_the_models_known_to_refuse_it(model: str, refused: set[str]) -> None:
    for effort in EFFORTS:
        if effort in refused:
            with pytest.raises(TaskError, match=f"{model} does not take the effort '{effort}'"):
                check_effort(model, effort)
        else:
            check_effort(model, effort)
    check_effort(model, None)


@pytest.mark.parametrize("model", ["", " ", " gpt", None, 3])
def test_what_can_t_be_a_model_is_a_task_error(model: object) -> None:
    with pytest.raises(TaskError):
        check_model(model)
