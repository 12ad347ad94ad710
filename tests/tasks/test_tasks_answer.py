from __future__ import annotations

from typing import Any

import pytest

from trivet.errors import AnswerError
from trivet.tasks.answer import problem, reason, result
from trivet.tasks.output import Contract, Labels, Text
from trivet.types import Reply, Usage

LABELS = Labels("billing", "other")


def reply(text: str = "", status: str = "completed", **more: Any) -> Reply:
    return Reply(text=text, status=status, model="gpt-5.4-mini", **more)


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            reply("bil", "incomplete", reason="max_output_tokens"),
            "incomplete",
            "cut by max_output_tokens: raise it",
        ),
        (
            reply("", "incomplete", reason="max_output_tokens", usage=Usage(output=16, reasoning=16)),
            "incomplete",
            "after 16 tokens, 16 of them reasoning: raise it, or lower the reasoning effort",
        ),
        (reply("billing", "incomplete", reason="steered"), "incomplete", "steered"),
        (reply("billing", "incomplete"), "incomplete", "gives no reason"),
        (reply("billing", "incomplete", reason="content_filter"), "content_filter", "content filter"),
        (reply("billing", "failed", reason="server_error"), "failed", r"status is 'failed' \(server_error\)"),
        (reply("billing", "cancelled"), "failed", "cancelled"),
        (reply("billing", "queued"), "failed", "queued"),
        (reply("", refusal="I can't help with that."), "refused", "I can't help with that"),
        (reply("billing", refusal=""), "refused", "refused"),
        (reply(""), "empty", "the answer is empty"),
        (reply(" \n\t"), "empty", "the answer is empty"),
        (reply("nonsense"), "invalid_output", "expected one of 2 labels"),
        (reply("", has_other_output=True), "empty", "tool calls"),
    ],
)
def test_each_way_not_to_be_a_result_has_its_code_and_its_words(answer: Reply, code: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message) as caught:
        result(answer, LABELS)
    assert caught.value.code == code
    assert caught.value.reply is answer
    found = problem(answer, LABELS)
    assert found is not None and found.code == code
    assert reason(answer, LABELS) == str(caught.value)


@pytest.mark.parametrize("contract", [None, LABELS, Text()])
def test_an_answer_is_a_result_by_its_contract(contract: Contract | None) -> None:
    assert result(reply("billing"), contract) == "billing"
    assert problem(reply("billing"), contract) is None
    assert reason(reply("billing"), contract) is None


def test_without_a_contract_other_output_is_an_answer_too() -> None:
    assert result(reply("", has_other_output=True)) == ""
    assert reason(reply("")) == "the answer is empty"


def test_without_a_contract_a_cut_or_refused_answer_is_still_none() -> None:
    assert reason(reply("text", "incomplete", reason="max_output_tokens")) is not None
    assert reason(reply("text", refusal="no")) is not None
