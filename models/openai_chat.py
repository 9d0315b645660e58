"""Any endpoint that speaks OpenAI's chat completions: vLLM, SGLang, Ollama, llama.cpp, the providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, final

from pydantic import Field

from ..core.errors import CallError, CallRefused
from ..core.paid import Reply, Request
from ..core.registry import model
from .chat import UNKEYED, EndpointSpec, parts
from .endpoint import Endpoint
from .openai_batch import OpenAIBatches

_OWN: Final = frozenset({"messages", "schema", "logprobs", "max_tokens"})
_FINISH: Final = {"length": "length", "content_filter": "content_filter"}


@final
@model("openai")
class OpenAISpec(EndpointSpec):
    """A chat model behind an OpenAI-compatible endpoint: text and images, n, seeds, logprobs, JSON schema."""

    unkeyed = UNKEYED | {"limit_field", "batch", "batch_wait", "batch_poll"}

    url: Annotated[str, Field(pattern=r"^https?://")] = "https://api.openai.com/v1"
    """Address up to and including the version, as in http://localhost:8000/v1."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls the most tokens of a reply; OpenAI's newer models want the second."""
    batch: bool = False
    """Hand calls over in files to the endpoint's batch API: cheaper, answered within a day."""
    batch_wait: Annotated[float, Field(gt=0)] = 5.0
    """Seconds without a new call after which a file is handed over."""
    batch_poll: Annotated[float, Field(gt=0)] = 30.0
    """Seconds between looks at whether a file is done."""

    def load(self) -> OpenAIChat | OpenAIBatches:
        """The backend."""
        secret = self.secret()
        endpoint = self.endpoint({"Authorization": f"Bearer {secret}"} if secret else {})
        chat = OpenAIChat(self, endpoint)
        return OpenAIBatches(chat, endpoint, self.batch_wait, self.batch_poll) if self.batch else chat


@final
class OpenAIChat:
    """One request, one reply. An endpoint that ignores `n` is asked until there are n choices."""

    def __init__(self, spec: OpenAISpec, endpoint: Endpoint) -> None:
        self.spec, self._endpoint = spec, endpoint
        self.concurrency, self.tries = spec.concurrency, spec.tries
        self.door = spec.url
        self.requests_per_minute, self.tokens_per_minute = spec.requests_per_minute, spec.tokens_per_minute

    async def call(self, request: Request) -> Reply:
        """See `core.paid.Backend`."""
        reply = self.reply(await self._endpoint.post("/chat/completions", self.body(request)))
        wanted = int(request.get("n", 1))
        while len(_texts(reply)) < wanted:
            had = len(_texts(reply))
            rest = {**request, "n": wanted - had}
            if request.get("seed") is not None:
                rest["seed"] = int(request["seed"]) + had
            more = self.reply(await self._endpoint.post("/chat/completions", self.body(rest)))
            reply = _joined(reply, more)
        return reply

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    def body(self, request: Request) -> dict[str, Any]:
        """The request in OpenAI's words; fields we have no own name for go as they are."""
        body: dict[str, Any] = {"model": self.spec.name, "messages": [_message(m) for m in request["messages"]]}
        body |= {name: value for name, value in request.items() if name not in _OWN and value is not None}
        if request.get("max_tokens") is not None:
            body[self.spec.limit_field] = request["max_tokens"]
        if request.get("logprobs") is not None:
            body["logprobs"] = True
            if request["logprobs"]:
                body["top_logprobs"] = request["logprobs"]
        if request.get("schema") is not None:
            schema = request["schema"]
            strict = schema.get("additionalProperties") is False
            form = {"name": "answer", "schema": schema, "strict": strict}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body | self.spec.extra_body

    def reply(self, answer: Mapping[str, Any]) -> Reply:
        """A completion's body as a reply; CallError when it is not one."""
        try:
            read = [_choice(choice) for choice in answer["choices"]]
            usage = answer.get("usage") or {}
            tokens_in, tokens_out = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CallError(f"the answer is no completion: {str(answer)[:200]}") from error
        if not read:
            raise CallError("the answer has no choices")
        data: dict[str, Any] = {"texts": [text for text, _, _ in read], "finishes": [finish for _, finish, _ in read]}
        if any(logprobs is not None for _, _, logprobs in read):
            data["logprobs"] = [logprobs or [] for _, _, logprobs in read]
        usd = self.spec.price(tokens_in, tokens_out)
        return Reply(read[0][0], read[0][1], tokens_in, tokens_out, usd, data)


def _message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(message.get("content"), str) or message.get("content") is None:
        return message
    content: list[dict[str, Any]] = []
    try:
        for kind, value, mime in parts(message["content"]):
            if kind == "text":
                content.append({"type": "text", "text": value})
            else:
                content.append({"type": "image_url", "image_url": {"url": f"data:{mime};base64,{value}"}})
    except (ValueError, KeyError) as error:
        raise CallRefused(f"the message cannot be sent: {error}") from error
    return {**message, "content": content}


def _choice(choice: Mapping[str, Any]) -> tuple[str, str, list[dict[str, Any]] | None]:
    message = choice["message"]
    text, finish = message.get("content"), _FINISH.get(choice.get("finish_reason") or "stop", "stop")
    if message.get("refusal"):
        text, finish = text or message["refusal"], "refusal"
    if isinstance(text, list):
        text = "".join(str(part.get("text", "")) for part in text)
    return str(text or ""), finish, _logprobs((choice.get("logprobs") or {}).get("content"))


def _logprobs(tokens: Any) -> list[dict[str, Any]] | None:
    if not isinstance(tokens, list):
        return None
    return [
        {
            "token": token["token"],
            "logprob": token["logprob"],
            "top": [[top["token"], top["logprob"]] for top in token.get("top_logprobs") or ()],
        }
        for token in tokens
    ]


def _texts(reply: Reply) -> list[str]:
    return list((reply.data or {}).get("texts", ()))


def _joined(first: Reply, more: Reply) -> Reply:
    """One reply with the choices of both."""
    one, two = first.data or {}, more.data or {}
    data = {name: [*one.get(name, ()), *two.get(name, ())] for name in one.keys() | two.keys()}
    tokens = (first.tokens_in + more.tokens_in, first.tokens_out + more.tokens_out)
    return Reply(first.text, first.finish, *tokens, first.usd + more.usd, data)
