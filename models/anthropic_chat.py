"""Anthropic's Messages API: text and images, JSON by a forced tool; no log-probabilities, one choice a call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, final

from pydantic import Field

from ..core.errors import CallError, CallRefused
from ..core.paid import Reply, Request
from ..core.registry import model
from .chat import EndpointSpec, Positive, parts
from .endpoint import Endpoint

_VERSION: Final = "2023-06-01"
_OWN: Final = frozenset({"messages", "schema", "logprobs", "max_tokens", "n", "seed", "stop", "logit_bias"})
_FINISH: Final = {"max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "refusal"}
_TOOL: Final = "answer"


@final
@model("anthropic")
class AnthropicSpec(EndpointSpec):
    """A chat model behind Anthropic's Messages API. `seed` is not known to it and not sent."""

    url: Annotated[str, Field(pattern=r"^https?://")] = "https://api.anthropic.com/v1"
    """Address up to and including the version."""
    max_tokens: Positive = 1024
    """Most tokens of a reply where the request does not say: the API wants a number."""

    def load(self) -> AnthropicChat:
        """The backend."""
        secret = self.secret()
        headers = {"anthropic-version": _VERSION} | ({"x-api-key": secret} if secret else {})
        return AnthropicChat(self, self.endpoint(headers))


@final
class AnthropicChat:
    """One request, one reply; `n` choices take n calls."""

    def __init__(self, spec: AnthropicSpec, endpoint: Endpoint) -> None:
        self.spec, self._endpoint = spec, endpoint
        self.concurrency, self.tries = spec.concurrency, spec.tries
        self.door = spec.url
        self.requests_per_minute, self.tokens_per_minute = spec.requests_per_minute, spec.tokens_per_minute

    async def call(self, request: Request) -> Reply:
        """See `core.paid.Backend`; CallRefused for log-probabilities."""
        if request.get("logprobs") is not None:
            raise CallRefused("this API gives no log-probabilities", hint="use another model, or read its words")
        body = self.body(request)
        replies = [self.reply(await self._endpoint.post("/messages", body)) for _ in range(int(request.get("n", 1)))]
        data = {"texts": [reply.text for reply in replies], "finishes": [reply.finish for reply in replies]}
        tokens_in, tokens_out = sum(r.tokens_in for r in replies), sum(r.tokens_out for r in replies)
        usd = self.spec.price(tokens_in, tokens_out)
        return Reply(replies[0].text, replies[0].finish, tokens_in, tokens_out, usd, data)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    def body(self, request: Request) -> dict[str, Any]:
        """The request in Anthropic's words: system messages apart, images as sources, a schema as a tool."""
        system = [m for m in request["messages"] if m["role"] == "system"]
        said = [m for m in request["messages"] if m["role"] != "system"]
        body: dict[str, Any] = {
            "model": self.spec.name,
            "max_tokens": request.get("max_tokens") or self.spec.max_tokens,
            "messages": [{"role": m["role"], "content": _content(m["content"])} for m in said],
        }
        body |= {name: value for name, value in request.items() if name not in _OWN and value is not None}
        if system:
            body["system"] = "\n\n".join(value for m in system for kind, value, _ in parts(m["content"]))
        if request.get("stop"):
            stop = request["stop"]
            body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
        if request.get("schema") is not None:
            body["tools"] = [{"name": _TOOL, "description": "Give your answer.", "input_schema": request["schema"]}]
            body["tool_choice"] = {"type": "tool", "name": _TOOL}
        return body | self.spec.extra_body

    def reply(self, answer: Mapping[str, Any]) -> Reply:
        """A message's body as a reply; CallError when it is not one."""
        try:
            blocks, usage = answer["content"], answer.get("usage") or {}
            tools = [block["input"] for block in blocks if block["type"] == "tool_use"]
            text = "".join(block["text"] for block in blocks if block["type"] == "text")
            tokens_in = sum(int(value or 0) for name, value in usage.items() if name in _COUNTED)
            tokens_out = int(usage.get("output_tokens") or 0)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CallError(f"the answer is no message: {str(answer)[:200]}") from error
        text = json.dumps(tools[0], ensure_ascii=False) if tools else text
        return Reply(text, _FINISH.get(answer.get("stop_reason") or "", "stop"), tokens_in, tokens_out)


_COUNTED: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def _content(content: str | list[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    found: list[dict[str, Any]] = []
    try:
        for kind, value, mime in parts(content):
            source = {"type": "base64", "media_type": mime, "data": value}
            found.append({"type": "text", "text": value} if kind == "text" else {"type": "image", "source": source})
    except (ValueError, KeyError) as error:
        raise CallRefused(f"the message cannot be sent: {error}") from error
    return found
