"""How many calls an endpoint gets: additive increase, multiplicative decrease, its own waits, its limits.

A waiting call holds no slot. After a 429 the whole endpoint rests for what it asked, the number
of calls in flight is halved (once per round trip), and grows again by one per round of successes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final, final

_MINUTE: Final = 60.0
_FIRST: Final = 16


@final
class Throttle:
    """Admission to one endpoint; belongs to one event loop.

    Args of the constructor: `most` calls in flight; `per_minute` requests and `tokens_per_minute`
    (None = no limit).
    """

    def __init__(self, most: int, per_minute: int | None = None, tokens_per_minute: int | None = None) -> None:
        self.most = most
        self.limit = float(min(_FIRST, most))
        self.in_flight = 0
        self._per_minute, self._tokens_per_minute = per_minute, tokens_per_minute
        self._rest_until = 0.0
        self._lowered_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._starts: deque[float] = deque()
        self._tokens: deque[tuple[float, int]] = deque()
        self._token_sum = 0
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self) -> None:
        """Wait, in order of coming, until a call may begin."""
        if not self._waiting and self._open_in() <= 0:
            self._begin()
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._pump()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.leave()
            raise

    def leave(self, tokens: int = 0, ok: bool = False) -> None:
        """A call ended, well (`ok`) or not; `tokens` count against the minute."""
        self.in_flight -= 1
        if tokens and self._tokens_per_minute is not None:
            self._tokens.append((time.monotonic(), tokens))
            self._token_sum += tokens
        if ok:
            self.limit = min(self.most, self.limit + (1.0 if self.limit < self.most / 2 else 1.0 / self.limit))
        self._pump()

    def rest(self, seconds: float) -> None:
        """The endpoint said 429: nothing begins for `seconds`, and fewer calls at once afterwards."""
        now = time.monotonic()
        self._rest_until = max(self._rest_until, now + seconds)
        if now - self._lowered_at > max(0.05, seconds / 2):
            self.limit = max(1.0, self.limit / 2)
            self._lowered_at = now
        self._pump()

    def _begin(self) -> None:
        self.in_flight += 1
        if self._per_minute is not None:
            self._starts.append(time.monotonic())

    def _open_in(self) -> float:
        """Seconds until a call may begin; infinity when it takes another's end."""
        now = time.monotonic()
        while self._starts and self._starts[0] <= now - _MINUTE:
            self._starts.popleft()
        while self._tokens and self._tokens[0][0] <= now - _MINUTE:
            self._token_sum -= self._tokens.popleft()[1]
        waits = [self._rest_until - now]
        if self._per_minute is not None and len(self._starts) >= self._per_minute:
            waits.append(self._starts[0] + _MINUTE - now)
        if self._tokens_per_minute is not None and self._token_sum >= self._tokens_per_minute:
            waits.append(self._tokens[0][0] + _MINUTE - now)
        if self.in_flight >= int(self.limit):
            return float("inf")
        return max(waits)

    def _pump(self) -> None:
        while self._waiting:
            wait = self._open_in()
            if wait > 0:
                if wait != float("inf"):
                    self._wake_in(wait)
                return
            future = self._waiting.popleft()
            if not future.done():
                self._begin()
                future.set_result(None)

    def _wake_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._pump)
