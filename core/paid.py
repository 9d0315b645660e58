"""A paid model behind the journal: what stages are handed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from typing import Any, Final, Generic, Protocol, TypeVar, final

from .caller import Caller, throttle_for
from .desk import Desk
from .errors import CallError
from .journal import Entry, Journal, canonical, key_after
from .meter import Meter
from .throttle import Throttle

Request = Mapping[str, Any]
T = TypeVar("T")
_AHEAD: Final = 4
"""Requests of one `ask_all` under way per call in flight: the rest wait for a 429, a retry or the journal."""


@final
@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered. `finish` is why it ended (stop, length, refusal); `data` is backend-specific JSON."""

    text: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    data: Mapping[str, Any] | None = None


class Backend(Protocol):
    """What answers: `call` raises RateLimited, CallRefused or another CallError when it cannot.

    More members are used where a backend has them: `tries: int`; `door`, what it is reached by (backends with
    one door share its admission); `async close()`, called at the end of the run; and `async call_as(key, request)`
    in place of `call`, for backends that hand a request over under a key (bytes [32]) and may find it again in a
    later run.
    """

    concurrency: int
    requests_per_minute: int | None
    tokens_per_minute: int | None

    async def call(self, request: Request) -> Reply:
        """One reply to one JSON-like request (messages and sampling parameters)."""


@final
@dataclass(frozen=True)
class _Work(Generic[T]):
    """What one `ask_each` is about."""

    requests: Sequence[Request]
    read: Callable[[Reply | CallError], T]
    attempt: int
    again: int
    poor: Callable[[T], bool]


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
        throttle: Throttle | None = None,
    ) -> None:
        self._backend, self._meter, self._run, self._loop = backend, meter, run, loop
        self._identity = canonical(identity)
        self._name = f"{identity.get('use', '')} {identity.get('name', '')}".strip()
        self._desk = Desk(journal, loop)
        self._caller = Caller(backend, self._name, meter, throttle or throttle_for(backend), loop)
        self._open: dict[bytes, asyncio.Future[Reply]] = {}
        self._stage = ""

    def charged_to(self, stage: str) -> PaidModel:
        """This model as one stage is handed it: what it is asked is entered there."""
        twin = copy(self)
        twin._stage = stage
        return twin

    @property
    def name(self) -> str:
        """The backend and the model it answers with, for `made_by` and messages."""
        return self._name

    async def ask(self, request: Request, attempt: int = 0) -> Reply:
        """The reply, from the journal or the endpoint; `attempt` > 0 asks anew for the same request."""
        key = key_after(self._identity, request, attempt)
        twin = self._open.get(key)
        if twin is not None:
            return await asyncio.shield(twin)
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
        return self.ask_each(requests, _as_it_is, attempt=attempt)

    def ask_each(
        self,
        requests: Sequence[Request],
        read: Callable[[Reply | CallError], T],
        *,
        attempt: int = 0,
        again: int = 0,
        poor: Callable[[T], bool] | None = None,
    ) -> list[T]:
        """What `read` makes of each reply or error, in the order of the requests, from a worker thread.

        A poor one is asked for anew at once, at most `again` times; the last one counts.
        """
        work = _Work(requests, read, attempt, again if poor else 0, poor or _never)
        return asyncio.run_coroutine_threadsafe(self._all(work), self._loop).result()

    async def close(self) -> None:
        """Wait until every reply is durable and close the backend's connections."""
        await self._desk.flush()
        close = getattr(self._backend, "close", None)
        if close is not None:
            await close()

    def stop(self) -> None:
        """Begin no further call: what is on its way is awaited, everything else fails."""
        self._caller.stop()

    async def _all(self, work: _Work[T]) -> list[T]:
        found: list[Any] = [None] * len(work.requests)
        todo = iter(range(len(work.requests)))
        # A few tasks that take one request after the other: a task for each would cost memory and time.
        width = min(len(work.requests), _AHEAD * self._backend.concurrency + _AHEAD)
        tasks = (self._take(work, todo, found) for _ in range(width))
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            if end is not None:
                raise end
        return found

    async def _take(self, work: _Work[T], todo: Iterator[int], found: list[Any]) -> None:
        for i in todo:
            try:
                for attempt in range(work.attempt, work.attempt + work.again + 1):
                    try:
                        found[i] = work.read(await self.ask(work.requests[i], attempt))
                    except CallError as error:
                        found[i] = work.read(error)
                        break
                    if not work.poor(found[i]):
                        break
            except BaseException:
                for _ in todo:  # the others end after the request they are at
                    pass
                raise

    async def _fetch(self, key: bytes, request: Request, attempt: int) -> Reply:
        known = await self._desk.look_up(key)
        if known is not None:
            self._meter.reused(self._stage)
            return Reply(**known)
        began = time.perf_counter()
        reply = await self._caller.call(key, request, self._stage)
        tokens, seconds = reply.tokens_in + reply.tokens_out, time.perf_counter() - began
        kept = {name: getattr(reply, name) for name in _FIELDS}
        await self._desk.keep(Entry(key, self._name, attempt, kept, tokens, reply.usd, seconds, self._run))
        return reply


_FIELDS: Final = tuple(field.name for field in fields(Reply))


def _as_it_is(reply: Reply | CallError) -> Reply | CallError:
    return reply


def _never(_: object) -> bool:
    return False
