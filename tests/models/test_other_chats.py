"""Anthropic's format against a recording server, and the fake chat model."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallError, CallRefused, InputError
from rather.core.paid import Reply
from rather.models.anthropic_chat import AnthropicSpec
from rather.models.fake_chat import FakeChatSpec
from rather.models.json_schema import fault_of
from rather.models.readers import read_choice, read_json
from rather.models.score_reader import read_score
from rather.models.spreads import expected_score
from rather.models.verdict import Outcome

from ..endpoints import Answer, serving

MESSAGE = {
    "content": [{"type": "text", "text": "B"}], "stop_reason": "end_turn",
    "usage": {"input_tokens": 90, "cache_read_input_tokens": 10, "output_tokens": 5},
}  # fmt: skip


def anthropic(body: Any, request: dict[str, Any]) -> tuple[Reply, list[Any], dict[str, str]]:
    with serving(lambda sent: Answer(body)) as server:

        async def call() -> Reply:
            backend = AnthropicSpec(name="c", url=f"{server.url}/v1", key="secret-0123", usd_per_million_out=2.0).load()
            try:
                return await backend.call(request)
            finally:
                await backend.close()

        return asyncio.run(call()), server.bodies, server.sent[0].headers


def test_a_request_in_anthropics_words() -> None:
    image = [{"type": "text", "text": "See"}, {"type": "image", "data": "QUJD", "mime": "image/png"}]
    messages = [{"role": "system", "content": "Judge."}, {"role": "user", "content": image}]
    asked = {"messages": messages, "temperature": 0.5, "seed": 3, "stop": "END"}
    reply, (body,), headers = anthropic(MESSAGE, asked)
    source = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    content = [{"type": "text", "text": "See"}, {"type": "image", "source": source}]
    assert body == {
        "model": "c", "max_tokens": 1024, "system": "Judge.", "temperature": 0.5, "stop_sequences": ["END"],
        "messages": [{"role": "user", "content": content}],
    }  # fmt: skip
    assert headers["x-api-key"] == "secret-0123" and headers["anthropic-version"] == "2023-06-01"
    assert (reply.text, reply.finish, reply.tokens_in, reply.tokens_out, reply.usd) == ("B", "stop", 100, 5, 1e-5)


def test_a_schema_is_a_forced_tool_and_n_takes_n_calls() -> None:
    schema = {"type": "object", "properties": {"winner": {"type": "string"}}}
    said = {"content": [{"type": "tool_use", "input": {"winner": "A"}}], "stop_reason": "tool_use", "usage": {}}
    reply, bodies, _ = anthropic(said, {"messages": [{"role": "user", "content": "x"}], "schema": schema, "n": 2})
    assert bodies[0]["tool_choice"] == {"type": "tool", "name": "answer"} and len(bodies) == 2
    assert bodies[0]["tools"][0]["input_schema"] == schema
    assert (reply.data or {})["texts"] == ['{"winner": "A"}'] * 2


def test_ends_and_what_it_cannot_do() -> None:
    ask = {"messages": [{"role": "user", "content": "x"}]}
    assert anthropic(MESSAGE | {"stop_reason": "max_tokens"}, ask)[0].finish == "length"
    assert anthropic(MESSAGE | {"stop_reason": "refusal"}, ask)[0].finish == "refusal"
    with pytest.raises(CallError, match="no message"):
        anthropic({"content": [{"type": "text"}]}, ask)
    with pytest.raises(CallRefused, match="no log-probabilities"):
        anthropic(MESSAGE, {**ask, "logprobs": 1})


def fake(prompt: str, request: dict[str, Any] | None = None, **options: Any) -> Reply:
    asked = {"messages": [{"role": "user", "content": prompt}], **(request or {})}
    return asyncio.run(FakeChatSpec(**options).load().call(asked))


def test_the_fake_answers_what_is_asked_for_and_always_the_same() -> None:
    schema = {
        "type": "object", "required": ["winner", "scores", "why"],
        "properties": {
            "winner": {"enum": ["A", "B", "tie"]}, "why": {"type": "string"}, "sure": {"type": "boolean"},
            "scores": {"type": "array", "minItems": 2, "items": {"type": "integer", "minimum": 1, "maximum": 5}},
        },
    }  # fmt: skip
    said = [read_json(schema)(fake(f"row {k}", {"schema": schema})) for k in range(60)]
    assert all(verdict.ok and not fault_of(verdict.value, schema) for verdict in said)
    assert {verdict.value["winner"] for verdict in said} == {"A", "B", "tie"}
    choices = [read_choice()(fake(f"{k}: which is better, answer A or answer B?")).value for k in range(60)]
    assert set(choices) == {"A", "B"}
    scores = [read_score(1, 5)(fake(f"{k}: rate it from 1 to 5")).value for k in range(60)]
    assert set(scores) == {1, 2, 3, 4, 5}
    assert fake("say it") == fake("say it") != fake("say it", name="another")


def test_the_fakes_logprobs_are_chances_whose_largest_is_the_answer() -> None:
    reply = fake("rate it from 1 to 10", {"logprobs": 20})
    score = expected_score(reply, range(1, 11))
    assert score is not None and 1 <= score <= 10 and abs(score - 5.5) <= abs(int(reply.text) - 5.5)
    assert len((fake("x", {"logprobs": 20, "n": 3}).data or {})["logprobs"]) == 3


def test_the_fakes_faults_come_at_their_rates() -> None:
    rates = {"mode": "choice", "unparsable": 0.2, "refused": 0.1, "truncated": 0.0}
    ends = [read_choice()(fake(f"row {k}", **rates)).outcome for k in range(1000)]
    assert 150 < ends.count(Outcome.UNPARSABLE) < 250 and 60 < ends.count(Outcome.REFUSED) < 140


def test_a_script_answers_first_and_is_part_of_the_identity(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    lines = [{"contains": "Paris", "reply": "[[A]]"}, {"contains": "Rome", "reply": ["first", "second"]}]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    assert fake("Is Paris …", script=str(path)).text == "[[A]]"
    assert (fake("And Rome?", {"n": 3}, script=str(path)).data or {})["texts"] == ["first", "second", "first"]
    before = FakeChatSpec(script=str(path)).identity()
    path.write_text('{"contains": "Paris", "reply": "[[B]]"}')
    assert FakeChatSpec(script=str(path)).identity() != before
    path.write_text('{"contains": "x"}')
    with pytest.raises(InputError, match="script.jsonl:1: not {contains, reply}"):
        FakeChatSpec(script=str(path)).load()
