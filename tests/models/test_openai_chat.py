"""The OpenAI-compatible backend against a recording server: what is sent, what is read, how it fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallError, CallRefused, RateLimited, RecipeError
from rather.core.paid import Reply
from rather.models.endpoint import wait_asked
from rather.models.openai_chat import OpenAISpec

from ..endpoints import Answer, Sent, Server, completion, serving
from ..runs import run_text

ASK = {"messages": [{"role": "user", "content": "Which?"}]}


def ask(server: Server, request: dict[str, Any], **options: Any) -> Reply:
    """One call of a fresh backend."""

    async def call() -> Reply:
        backend = OpenAISpec(name="m", url=f"{server.url}/v1", **options).load()
        try:
            return await backend.call(request)
        finally:
            await backend.close()

    return asyncio.run(call())


def failing(answer: Answer, **options: Any) -> CallError:
    """The error of a call that is answered so."""
    with serving(lambda sent: answer) as server, pytest.raises(CallError) as raised:
        ask(server, ASK, **options)
    return raised.value


def test_a_request_in_openais_words() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    image = [{"type": "text", "text": "See"}, {"type": "image", "data": "QUJD", "mime": "image/png"}]
    request = {
        "messages": [{"role": "system", "content": "Judge."}, {"role": "user", "content": image}],
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "n": 2, "seed": 3, "stop": ["\n"], "logprobs": 5,
        "schema": schema, "logit_bias": {"5": -100},
    }  # fmt: skip
    with serving(lambda sent: Answer(completion("one", "two"))) as server:
        reply = ask(server, request, key="secret-key-1", extra_body={"top_k": 4}, headers={"X-Team": "judges"})
    (sent,) = server.sent
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.headers["authorization"] == "Bearer secret-key-1" and sent.headers["x-team"] == "judges"
    parts = [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]
    form = {"name": "answer", "schema": schema, "strict": True}
    assert sent.body == {
        "model": "m", "messages": [request["messages"][0], {"role": "user", "content": parts}], "top_k": 4,
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "n": 2, "seed": 3, "stop": ["\n"],
        "logprobs": True, "top_logprobs": 5, "logit_bias": {"5": -100},
        "response_format": {"type": "json_schema", "json_schema": form},
    }  # fmt: skip
    assert reply.data == {"texts": ["one", "two"], "finishes": ["stop", "stop"]}
    assert (reply.text, reply.finish, reply.tokens_in, reply.tokens_out) == ("one", "stop", 100, 20)


def test_what_is_not_asked_for_is_not_sent_and_prices_add_up() -> None:
    with serving(lambda sent: Answer(completion("x"))) as server:
        options = {"usd_per_million_in": 2.0, "usd_per_million_out": 10.0, "limit_field": "max_completion_tokens"}
        reply = ask(server, {**ASK, "max_tokens": 9, "seed": None}, **options)
    assert server.bodies == [{"model": "m", "messages": ASK["messages"], "max_completion_tokens": 9}]
    assert "authorization" not in server.sent[0].headers
    assert reply.usd == pytest.approx(100 * 2e-6 + 20 * 1e-5)
    assert OpenAISpec(name="m", **options).usd_a_call() == pytest.approx(1000 * 2e-6 + 300 * 1e-5)


def test_an_endpoint_that_ignores_n_is_asked_until_there_are_n() -> None:
    with serving(lambda sent: Answer(completion(f"seed {sent.body['seed']}"))) as server:
        reply = ask(server, {**ASK, "n": 3, "seed": 10})
    assert reply.data == {"texts": ["seed 10", "seed 11", "seed 12"], "finishes": ["stop"] * 3}
    assert [body["n"] for body in server.bodies] == [3, 2, 1] and reply.tokens_out == 60


def test_logprobs_refusals_and_ends() -> None:
    step = {
        "token": "A",
        "logprob": -0.1,
        "top_logprobs": [{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -2.5}],
    }
    for body, text, finish in (
        (completion("A", logprobs={"content": [step]}), "A", "stop"),
        (completion("half", finish_reason="length"), "half", "length"),
        (completion("", finish_reason="content_filter"), "", "content_filter"),
        (completion(None, message={"content": None, "refusal": "I won't."}), "I won't.", "refusal"),
        (completion("", message={"content": [{"type": "text", "text": "in parts"}]}), "in parts", "stop"),
    ):
        with serving(lambda sent, body=body: Answer(body)) as server:
            reply = ask(server, ASK)
        assert (reply.text, reply.finish) == (text, finish)
        if text == "A":
            expected = [[{"token": "A", "logprob": -0.1, "top": [["A", -0.1], ["B", -2.5]]}]]
            assert (reply.data or {})["logprobs"] == expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7), ({"retry-after": "0.5"}, 0.5), ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2.5s"}, 62.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "60s"}, 0), ({}, 0),
        ({"retry-after": "soon"}, 0), ({"retry-after": "-5"}, 0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "later"}, 0),
    ],
)  # fmt: skip
def test_how_long_an_endpoint_asks_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert wait_asked(headers) == pytest.approx(seconds)
    assert wait_asked({"retry-after": formatdate(time.time() + 90, usegmt=True)}) == pytest.approx(90, abs=2)


def test_failures_are_told_apart() -> None:
    busy = failing(Answer({"error": {"message": "slow down"}}, 429, {"Retry-After": "3"}))
    assert isinstance(busy, RateLimited) and busy.retry_after == 3
    for answer in (
        Answer({"error": "oops"}, 500), Answer(b"", 502), Answer(b"{", 200), Answer([1], 200), Answer({}, 200),
        Answer({"choices": []}, 200), Answer({"choices": [{}]}, 200), Answer({"error": {"message": "x"}}, 200),
        Answer(hang_up=True),
    ):  # fmt: skip
        error = failing(answer)
        assert not isinstance(error, (CallRefused, RateLimited)), answer
    for status in (400, 413, 422):
        assert isinstance(failing(Answer({"error": {"message": "no"}}, status)), CallRefused)
    exhausted = failing(Answer({"error": {"message": "quota", "code": "insufficient_quota"}}, 429))
    assert isinstance(exhausted, CallRefused) and "no credit" in exhausted.show()
    assert isinstance(failing(Answer(status=308, headers={"Location": "http://elsewhere"})), CallRefused)


def test_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "set `key: ${NAME}`" in failing(Answer({}, 401)).show()
    assert "is the value of ${KEY} right?" in failing(Answer({}, 401), key="a-key-of-some-length").show()

    def without_model(sent: Sent) -> Answer:
        if sent.path == "/v1/models":
            return Answer({"data": [{"id": "small"}, {"id": "large"}]})
        return Answer({"error": {"message": "no such model"}}, 404)

    with serving(without_model) as server, pytest.raises(CallRefused, match="it has large, small"):
        ask(server, ASK)


def test_no_server_and_no_answer_are_failures_that_may_pass() -> None:
    with serving(lambda sent: Answer(completion("x"))) as server:
        pass
    with pytest.raises(CallError, match="ConnectionRefusedError"):
        ask(server, ASK)

    def slow(sent: Sent) -> Answer:
        time.sleep(0.5)
        return Answer(completion("x"))

    with serving(slow) as server, pytest.raises(CallError, match=r"no answer within 0\.1 s"):
        ask(server, ASK, timeout=0.1)


def test_chunks_long_bodies_and_kept_connections() -> None:
    long = "word é " * 40_000
    for chunked in (False, True):
        answer: Callable[[Sent], Answer] = lambda sent, c=chunked: Answer(completion(long), chunked=c)  # noqa: E731
        with serving(answer) as server:

            async def twice(url: str = server.url) -> list[Reply]:
                backend = OpenAISpec(name="m", url=f"{url}/v1").load()
                replies = [await backend.call(ASK) for _ in range(2)]
                await backend.close()
                return replies

            assert [reply.text for reply in asyncio.run(twice())] == [long, long]


def test_a_proxy_of_the_environment_is_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda sent: Answer(completion("by proxy"))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert ask(Server("http://judge.invalid"), ASK).text == "by proxy"
        (sent,) = proxy.sent
    assert sent.path == "http://judge.invalid/v1/chat/completions" and sent.headers["host"] == "judge.invalid"


def test_address_and_secrets_are_no_part_of_an_identity() -> None:
    one = OpenAISpec(name="m", url="http://a/v1", key="k1k1k1k1", concurrency=3, timeout=5, headers={"a": "b"})
    assert one.identity() == OpenAISpec(name="m").identity()
    assert one.identity() != OpenAISpec(name="other").identity()
    assert one.identity() != OpenAISpec(name="m", extra_body={"top_k": 1}).identity()
    assert "k1k1k1k1" not in repr(one)


RECIPE = """
models:
  judge:
    {{use: openai, name: m, url: "{url}", key: "${{PLANTED_KEY}}", headers: {{X-A: "${{PLANTED_HEADER}}"}}, tries: 2}}
stages:
  - demo.read: {{rows: 30}}
  - demo.ask
  - demo.digest
"""


def test_planted_secrets_are_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PLANTED_KEY", "planted-key-0123456789")
    monkeypatch.setenv("PLANTED_HEADER", "planted-header-0123456789")
    caplog.set_level(logging.DEBUG)

    def told(sent: Sent) -> Answer:
        assert sent.headers["authorization"] == "Bearer planted-key-0123456789"
        if "answer 3" in str(sent.body):  # an endpoint that repeats what it was sent
            return Answer({"error": {"message": f"bad: {sent.headers}"}}, 400)
        return Answer(completion("fine"))

    with serving(told) as server:
        view = run_text(RECIPE.format(url=f"{server.url}/v1"), tmp_path / "runs" / "a")
    failed = view.failed("demo.ask").to_pylist()
    assert failed and "${PLANTED_KEY}" in str(failed)
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert any(path.name == "journal.sqlite" for path in files)
    for path in files:
        assert b"planted-" not in path.read_bytes(), path
    assert "planted-" not in caplog.text


def test_a_key_written_out_is_a_fault_of_the_recipe(tmp_path: Path) -> None:
    text = RECIPE.format(url="http://127.0.0.1:9/v1").replace("${PLANTED_KEY}", "sk-written-out-12345")
    with pytest.raises(RecipeError, match="models.judge.key is a secret written out") as raised:
        run_text(text.replace("${PLANTED_HEADER}", "x"), tmp_path / "run")
    assert "sk-written-out" not in str(raised.value)
