"""Calls of a backend as they are paid for: admitted, metered, tried again, and given up when none comes back."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final, final

from .errors import CallError, CallRefused, RateLimited
from .fuse import Fuse
from .meter import Meter
from .throttle import Throttle

if TYPE_CHECKING:
    from .paid import Backend, Reply, Request

_BACKOFF: Final = (0.5, 30.0)


@final
class Caller:
    """A 429 is no attempt; other failures are tried `tries` times with jittered backoff."""

    def __init__(
        self, backend: Backend, name: str, meter: Meter, throttle: Throttle, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._backend, self._meter, self._throttle, self._loop = backend, meter, throttle, loop
        self._tries: int = getattr(backend, "tries", 5)
        self._keyed = getattr(backend, "call_as", None)
        self._fuse = Fuse(name)

    async def call(self, key: bytes, request: Request, stage: str) -> Reply:
        """The reply, which `stage` pays for; CallError once it is given up, StageFailed when nothing comes back."""
        failed = waited = 0
        while True:
            try:
                return await self._once(key, request, stage, again=failed + waited > 0)
            except RateLimited as busy:
                waited += 1
                self._fuse.waits(busy, self._loop.time())
                pause = busy.retry_after or _jittered(waited)
            except CallRefused as error:
                self._fuse.failed(key, error, given_up=True, refused=True)
                raise
            except CallError as error:
                failed += 1
                self._fuse.failed(key, error, given_up=failed >= self._tries)
                if failed >= self._tries:
                    raise
                pause = _jittered(failed)
            await asyncio.sleep(pause)

    async def _once(self, key: bytes, request: Request, stage: str, again: bool) -> Reply:
        round = await self._throttle.enter(again)
        reply, busy = None, None
        try:
            self._fuse.check()
            self._meter.reserve()
            try:
                reply = await (self._keyed(key, request) if self._keyed else self._backend.call(request))
            except RateLimited as error:
                busy = error
                raise
            finally:
                if reply is None:
                    self._meter.release()
        finally:
            if busy is not None:
                self._throttle.busy(round, busy.retry_after or _BACKOFF[0])
            elif reply is None:
                self._throttle.leave(round)
        tokens = reply.tokens_in + reply.tokens_out
        self._meter.paid(stage, tokens, reply.usd)
        self._throttle.leave(round, tokens, ok=True)
        self._fuse.answered(self._loop.time())
        return reply

    def stop(self) -> None:
        """Begin no further call."""
        self._fuse.blow("the run is being stopped", "run it again to go on")


def throttle_for(backend: Backend) -> Throttle:
    """Admission as the backend asks for it; what hands calls over in files begins with all of them."""
    first = {"first": backend.concurrency} if hasattr(backend, "call_as") else {}
    return Throttle(backend.concurrency, backend.requests_per_minute, backend.tokens_per_minute, **first)


def _jittered(failed: int) -> float:
    return min(_BACKOFF[1], _BACKOFF[0] * 2 ** (failed - 1)) * random.uniform(0.5, 1.5)
