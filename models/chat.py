"""What every chat model behind an endpoint is told: where it is, how hard it may be asked, what it costs.

A request is neutral JSON: messages of text and image parts, sampling parameters, n, logprobs, a schema.
A reply's `data` has `texts` and `finishes` of all n choices and, where asked for, `logprobs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, SecretStr

from ..core.registry import ModelSpec
from .endpoint import Endpoint

UNKEYED: Final = frozenset(
    {
        "url", "key", "concurrency", "requests_per_minute", "tokens_per_minute", "timeout", "tries",
        "usd_per_million_in", "usd_per_million_out", "tokens_in_a_call", "tokens_out_a_call", "headers",
    }
)  # fmt: skip
Positive = Annotated[int, Field(ge=1)]
Price = Annotated[float, Field(ge=0)]


class EndpointSpec(ModelSpec):
    """Fields shared by chat models that are reached over HTTP."""

    kind: ClassVar[str] = "chat"
    paid: ClassVar[bool] = True
    unkeyed: ClassVar[frozenset[str]] = UNKEYED

    name: Annotated[str, Field(min_length=1)]
    """The model's name, as the endpoint knows it."""
    url: Annotated[str, Field(pattern=r"^https?://")]
    """Address up to and including the version, as in http://localhost:8000/v1."""
    key: SecretStr | None = None
    """The API key, always as ${NAME} of the environment."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Further HTTP headers; they are no part of an answer's key."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further fields of every request, as the endpoint names them."""
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 64
    """Most calls in flight; fewer while the endpoint answers 429."""
    requests_per_minute: Positive | None = None
    """Most calls begun in a minute; null = as many as it takes."""
    tokens_per_minute: Positive | None = None
    """Tokens, prompt and reply, after which no call begins within the minute; null = no limit."""
    timeout: Annotated[float, Field(gt=0)] = 300.0
    """Seconds after which an answer is no longer awaited."""
    tries: Positive = 5
    """Attempts at one call that fails; waiting after a 429 is none."""
    usd_per_million_in: Price = 0.0
    """Dollars a million prompt tokens."""
    usd_per_million_out: Price = 0.0
    """Dollars a million tokens of replies."""
    tokens_in_a_call: Positive = 1000
    """Prompt tokens of one call as `rather plan` reckons."""
    tokens_out_a_call: Positive = 300
    """Tokens of one reply as `rather plan` reckons."""

    def usd_a_call(self) -> float:
        """Dollars of one call of `tokens_in_a_call` and `tokens_out_a_call` tokens."""
        return self.price(self.tokens_in_a_call, self.tokens_out_a_call)

    def price(self, tokens_in: int, tokens_out: int) -> float:
        """Dollars."""
        return (tokens_in * self.usd_per_million_in + tokens_out * self.usd_per_million_out) / 1e6

    def endpoint(self, headers: Mapping[str, str]) -> Endpoint:
        """The client; `headers` are those of the protocol, overruled by the user's own."""
        secret = self.key.get_secret_value() if self.key else ""
        return Endpoint(self.url, {**headers, **self.headers}, self.timeout, secret)

    def secret(self) -> str:
        """The key in clear, for the header that carries it."""
        return self.key.get_secret_value() if self.key else ""


def parts(content: str | list[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """(kind, text or base64 data, mime type) of each part of a message's content; ValueError for other parts."""
    if isinstance(content, str):
        yield "text", content, ""
        return
    for part in content:
        if part.get("type") == "text":
            yield "text", str(part["text"]), ""
        elif part.get("type") == "image":
            yield "image", str(part["data"]), str(part.get("mime") or "image/jpeg")
        else:
            raise ValueError(f"a message part of type {part.get('type')!r}; known: text, image")
