"""A paid model behind the journal, the meter and the throttle: what stages are handed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol, final

from .errors import CallError, CallRefused, RateLimited
from .journal import Journal, call_key
from .meter import Meter
from .throttle import Throttle

Request = Mapping[str, Any]
_BACKOFF: Final = (0.5, 30.0)


@final
@dataclass(frozen=True)
class Reply:
    """What a model answered. `finish` is why it ended (stop, length, refused); `data` is backend-specific JSON."""

    text: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    data: Mapping[str, Any] | None = None


class Backend(Protocol):
    """What answers: `call` raises RateLimited, CallRefused or another CallError when it cannot."""

    concurrency: int
    requests_per_minute: int | None
    tokens_per_minute: int | None

    async def call(self, request: Request) -> Reply:
        """One reply to one JSON-like request (messages and sampling parameters)."""


@final
class PaidModel:
    """Asks a backend at most once for the same (identity, request, attempt), across runs.

    A reply is used only after the journal has it on disk. A 429 is no attempt; other failures are
    tried `tries` times with jittered backoff. Stages call `ask` from a map, `ask_all` from a score.
    """

    def __init__(
        self,
        backend: Backend,
        identity: Mapping[str, Any],
        journal: Journal,
        meter: Meter,
        run: str,
        loop: asyncio.AbstractEventLoop,
        tries: int = 5,
    ) -> None:
        self._backend, self._identity, self._journal, self._meter = backend, identity, journal, meter
        self._run, self._tries = run, tries
        self._loop = loop
        self._throttle = Throttle(backend.concurrency, backend.requests_per_minute, backend.tokens_per_minute)
        self._open: dict[bytes, asyncio.Future[Reply]] = {}

    async def ask(self, request: Request, attempt: int = 0) -> Reply:
        """The reply, from the journal or the endpoint; `attempt` > 0 asks anew for the same request."""
        key = call_key(self._identity, request, attempt)
        if key in self._open:
            return await asyncio.shield(self._open[key])
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._open[key] = future
        try:
            reply = await self._fetch(key, request, attempt)
            future.set_result(reply)
            return reply
        except BaseException as error:
            future.set_exception(error if isinstance(error, Exception) else CallError("interrupted"))
            future.exception()  # nobody else may be waiting
            raise
        finally:
            del self._open[key]

    def ask_all(self, requests: Sequence[Request], attempt: int = 0) -> list[Reply | CallError]:
        """Replies in the order of the requests, from a worker thread; a failed call gives its error."""
        return asyncio.run_coroutine_threadsafe(self._all(requests, attempt), self._loop).result()

    async def _all(self, requests: Sequence[Request], attempt: int) -> list[Reply | CallError]:
        results = await asyncio.gather(*(self.ask(request, attempt) for request in requests), return_exceptions=True)
        found: list[Reply | CallError] = []
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, CallError):
                raise result
            found.append(result)
        return found

    async def _fetch(self, key: bytes, request: Request, attempt: int) -> Reply:
        known = await asyncio.wrap_future(self._journal.get(key))
        if known is not None:
            self._meter.reused()
            return Reply(**known)
        began = time.perf_counter()
        reply = await self._pay(request)
        seconds = time.perf_counter() - began
        tokens = reply.tokens_in + reply.tokens_out
        name = str(self._identity.get("use", ""))
        await asyncio.wrap_future(
            self._journal.put(key, name, attempt, asdict(reply), tokens, reply.usd, seconds, self._run)
        )
        return reply

    async def _pay(self, request: Request) -> Reply:
        tried = 0
        while True:
            await self._throttle.enter()
            try:
                self._meter.reserve()
            except BaseException:
                self._throttle.leave()
                raise
            try:
                reply = await self._backend.call(request)
            except RateLimited as busy:
                self._meter.release()
                self._throttle.rest(busy.retry_after)
                self._throttle.leave()
            except CallError as error:
                self._meter.release()
                self._throttle.leave()
                tried += 1
                if tried >= self._tries or isinstance(error, CallRefused):
                    raise
                await asyncio.sleep(min(_BACKOFF[1], _BACKOFF[0] * 2 ** (tried - 1)) * random.uniform(0.5, 1.5))
            except BaseException:
                self._meter.release()
                self._throttle.leave()
                raise
            else:
                tokens = reply.tokens_in + reply.tokens_out
                self._meter.paid(tokens, reply.usd)
                self._throttle.leave(tokens, ok=True)
                return reply
