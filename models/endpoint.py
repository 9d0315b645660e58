"""One endpoint: JSON out, JSON in, and every failure told apart.

Connections have no limit: the throttle above decides how many calls are in flight.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, final
from urllib.parse import urlsplit

from ..core.errors import CallError, CallRefused, RateLimited
from ..core.secrets import hide, redact
from .proxied import Proxied, proxy_of
from .wire import Wire

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_TOLD: Final = 300  # characters of an endpoint's own words kept in an error
_EXHAUSTED: Final = ("insufficient_quota", "billing_hard_limit_reached", "credit balance")


@final
class Endpoint:
    """POST and GET of JSON at `url` + path. Belongs to the event loop that first calls.

    Raises RateLimited (429, with the wait asked for; 0 = none named), CallRefused (a request the
    endpoint will never answer) and CallError (anything that may pass: 5xx, timeouts, broken bodies).
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float, secret: str = "") -> None:
        self.url = url.rstrip("/")
        self._path = urlsplit(self.url).path
        self._timeout, self._secret = timeout, secret
        proxy = proxy_of(self.url)
        self._wire = Proxied(self.url, headers, timeout, proxy) if proxy else Wire(self.url, headers, timeout)
        if secret and redact(secret) == secret:
            hide(secret, "KEY")

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that answers a JSON object."""
        return self._object(await self.send("POST", path, encode(body).encode("utf-8", "surrogatepass")))

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path."""
        return self._object(await self.send("GET", path))

    async def send(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """The body of a 200; `kind` is the media type of what is sent."""
        try:
            response = await self._wire.send(method, self._path + path, body, kind)
        except TimeoutError as error:
            raise CallError(f"no answer within {self._timeout:g} s", place=self._place) from error
        except OSError as error:
            raise CallError(redact(f"{type(error).__name__}: {error}"), place=self._place) from error
        if response.status == 200:
            return response.body
        raise await self._failure(response.status, response.headers, response.body)

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        await self._wire.close()

    @property
    def _place(self) -> str:
        return redact(self.url)

    def _object(self, content: bytes) -> dict[str, Any]:
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise CallError(f"the answer is not JSON: {_words(content)!r}", place=self._place) from error
        if not isinstance(found, dict):
            raise CallError(f"the answer is no JSON object: {_words(content)!r}", place=self._place)
        fault = found.get("error")
        if fault:
            code = fault.get("code") if isinstance(fault, dict) else None
            if code in (429, "429", "rate_limit_exceeded"):
                raise RateLimited("the endpoint is busy", retry_after=0.0)
            raise CallError(f"the endpoint answers with an error: {_words(content)}", place=self._place)
        return found

    async def _failure(self, status: int, headers: Mapping[str, str], content: bytes) -> CallError:
        words = _words(content)
        if status == 429 and not any(mark in words for mark in _EXHAUSTED):
            return RateLimited(f"429: {words}", retry_after=wait_asked(headers))
        if status in (408, 409, 425) or status >= 500:
            if status in (503, 529) and wait_asked(headers) > 0:
                return RateLimited(f"{status}: {words}", retry_after=wait_asked(headers))
            return CallError(f"{status}: {words}", place=self._place)
        return CallRefused(f"{status}: {words}", place=self._place, hint=await self._remedy(status))

    async def _remedy(self, status: int) -> str:
        if status in (401, 403):
            named = redact(self._secret)
            return f"is the value of {named} right?" if self._secret else "set `key: ${NAME}` in the recipe's model"
        if status == 429:
            return "the account has no credit left"
        if 300 <= status < 400:
            return "set `url` to the address it redirects to"
        if status == 404:
            return await self._nearest()
        return ""

    async def _nearest(self) -> str:
        try:
            listed = (await self.get("/models")).get("data", [])
            names = [str(entry["id"]) for entry in listed]
        except (CallError, KeyError, TypeError, asyncio.CancelledError):
            return "does `url` end with the version, as in …/v1?"
        return f"it has {', '.join(sorted(names)[:12])}" + " …" * (len(names) > 12)


def wait_asked(headers: Mapping[str, str]) -> float:
    """Seconds an endpoint asks to wait: retry-after-ms, Retry-After (seconds or date), or its reset; 0 = not said."""
    with suppress(ValueError):  # a time nobody can read says nothing: the reset may
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        if "retry-after" in headers:
            return _seconds(headers["retry-after"])
    resets = [_span(headers[f"x-ratelimit-reset-{kind}"]) for kind in ("requests", "tokens") if _spent(headers, kind)]
    return max(resets, default=0.0)


def _spent(headers: Mapping[str, str], kind: str) -> bool:
    return headers.get(f"x-ratelimit-remaining-{kind}") == "0" and f"x-ratelimit-reset-{kind}" in headers


def _seconds(value: str) -> float:
    try:
        return max(0.0, float(value))
    except ValueError:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())


def _span(value: str) -> float:
    """Seconds of 1.5, 20ms, 6m0s or 1h2m3s; 0 when it is none of these."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
    total, number, i = 0.0, "", 0
    while i < len(value):
        while i < len(value) and (value[i].isdigit() or value[i] == "."):
            number, i = number + value[i], i + 1
        unit = ""
        while i < len(value) and value[i].isalpha():
            unit, i = unit + value[i], i + 1
        if not number or number.count(".") > 1 or number == "." or unit not in units:
            return 0.0
        total, number = total + float(number) * units[unit], ""
    return total


def _words(content: bytes) -> str:
    """The endpoint's own words: the message of its JSON error, or the beginning of the body; no secrets."""
    text = content[:4096].decode("utf-8", "replace")
    with suppress(ValueError, AttributeError, RecursionError):  # no JSON object: the body itself is told
        error = json.loads(content).get("error")
        if isinstance(error, dict):
            text = " ".join(str(error[name]) for name in ("message", "code", "type") if error.get(name))
        elif isinstance(error, str):
            text = error
    return redact(" ".join(text.split())[:_TOLD]) or "(empty)"
