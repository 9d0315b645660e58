"""How many calls an endpoint gets: slow start, additive increase, multiplicative decrease, its own waits.

What counts is the share of 429s among calls that began together, not a single one: an endpoint that
answers one call in a hundred so is not full, and is not slowed down for it. When lowering the number
of calls does not lower that share, calls are not what brings it about, and the number is restored.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Final, final

_MINUTE: Final = 60.0
_FIRST: Final = 64
_SAMPLE: Final = 32
_TOLERATED: Final = 0.05
_FLOODED: Final = 0.8
_CHANCE: Final = 1e-4
_FOREVER: Final = float("inf")


@final
class Round:
    """Calls that began one after the other, looked at as one sample."""

    __slots__ = ("size", "begun", "ended", "busy", "lowered")

    def __init__(self, size: int) -> None:
        self.size = size
        self.begun = self.ended = self.busy = 0
        self.lowered = False


@final
class Throttle:
    """Admission to one endpoint; belongs to one event loop.

    Args of the constructor: `most` calls in flight; `per_minute` requests and `tokens_per_minute`
    (None = no limit); `first` calls in flight at the beginning.
    """

    def __init__(
        self, most: int, per_minute: int | None = None, tokens_per_minute: int | None = None, first: int = _FIRST
    ) -> None:
        self.most = most
        self.limit = float(min(first, most))
        self.in_flight = 0
        self._per_minute, self._tokens_per_minute = per_minute, tokens_per_minute
        self._rest_until = 0.0
        self._waiting: deque[asyncio.Future[Round | None]] = deque()
        self._starts: deque[float] = deque()
        self._tokens: deque[tuple[float, int]] = deque()
        self._token_sum = 0
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = _FOREVER
        self._doubling, self._streak = True, 0
        self._tolerated, self._share_before, self._peak = _TOLERATED, -1.0, self.limit
        self._round = Round(self._sample())

    async def enter(self, again: bool = False) -> Round | None:
        """Wait until a call may begin, in order of coming, those that come `again` first.

        What it gives goes to `leave` or `busy`.
        """
        if not self._waiting and self._open_in() <= 0:
            return self._begin()
        future: asyncio.Future[Round | None] = asyncio.get_running_loop().create_future()
        if again:
            self._waiting.appendleft(future)
        else:
            self._waiting.append(future)
        self._pump()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.leave(future.result())
            raise

    def leave(self, round: Round | None, tokens: int = 0, ok: bool = False) -> None:
        """A call ended, well (`ok`) or not; `tokens` count against the minute."""
        self.in_flight -= 1
        if tokens and self._tokens_per_minute is not None:
            self._tokens.append((_now(), tokens))
            self._token_sum += tokens
        if ok:
            self._streak = 0
            if self.limit < self.most and self.in_flight + 1 >= self.limit / 2:
                step = 1.0 if self._doubling else max(1.0, self.most / 32) / self.limit
                self.limit = min(self.most, self.limit + step)
        self._count(round, busy=False)
        self._pump()

    def busy(self, round: Round | None, seconds: float) -> None:
        """A call ended with a 429: its caller waits `seconds`, and all others too when nothing gets by."""
        self.in_flight -= 1
        self._streak += 1
        long = self._long_streak()
        if self._streak >= long and self.in_flight <= 0:
            self._rest_until = max(self._rest_until, _now() + seconds)
        if self._streak % long == 0:
            self._lower(0.5)
        self._count(round, busy=True)
        self._pump()

    def _count(self, round: Round | None, busy: bool) -> None:
        if round is None or round is not self._round:
            return
        round.ended += 1
        round.busy += busy
        if not round.lowered and round.busy > self._tolerated * round.size + 3:
            self._lower(0.5 if round.busy > round.ended / 2 else 0.7)
        if round.ended == round.size:
            self._judge(round)

    def _judge(self, round: Round) -> None:
        share = round.busy / round.size
        if not round.lowered:
            self._share_before = -1.0
            self._tolerated = max(_TOLERATED, min(self._tolerated, share + 0.1))
            self._peak = self.limit
        elif 0 <= self._share_before - 0.1 <= share < _FLOODED:
            self._tolerated, self._share_before = share + 0.1, -1.0
            self.limit, self._doubling = max(self.limit, self._peak), True
        else:
            self._share_before = share
        self._round = Round(self._sample())

    def _lower(self, factor: float) -> None:
        if self._share_before < 0 and not self._round.lowered:
            self._peak = self.limit
        self._round.lowered, self._doubling = True, False
        self.limit = max(1.0, self.limit * factor)

    def _sample(self) -> int:
        return max(_SAMPLE, int(self.limit))

    def _long_streak(self) -> int:
        """429s in a row that the tolerated share alone would hardly bring about, and no more than are in flight."""
        unlikely = math.ceil(math.log(_CHANCE) / math.log(self._tolerated))
        return min(max(8, unlikely), max(3, int(self.limit)))

    def _begin(self) -> Round | None:
        self.in_flight += 1
        if self._per_minute is not None:
            self._starts.append(_now())
        if self._round.begun < self._round.size:
            self._round.begun += 1
            return self._round
        return None

    def _open_in(self) -> float:
        """Seconds until a call may begin; infinity when it takes another's end."""
        if self.in_flight >= int(self.limit):
            return _FOREVER
        now = _now()
        wait = self._rest_until - now
        if self._per_minute is not None:
            while self._starts and self._starts[0] <= now - _MINUTE:
                self._starts.popleft()
            if len(self._starts) >= self._per_minute:
                wait = max(wait, self._starts[0] + _MINUTE - now)
        if self._tokens_per_minute is not None:
            while self._tokens and self._tokens[0][0] <= now - _MINUTE:
                self._token_sum -= self._tokens.popleft()[1]
            if self._token_sum >= self._tokens_per_minute:
                wait = max(wait, self._tokens[0][0] + _MINUTE - now)
        return wait

    def _pump(self) -> None:
        while self._waiting:
            wait = self._open_in()
            if wait > 0:
                self._wake_in(wait)
                return
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(self._begin())

    def _wake_in(self, seconds: float) -> None:
        if seconds == _FOREVER:
            return
        at = _now() + seconds
        if self._timer is None or at < self._wake_at or self._wake_at <= _now():
            if self._timer is not None:
                self._timer.cancel()
            self._wake_at = at
            self._timer = asyncio.get_running_loop().call_at(at, self._woken)

    def _woken(self) -> None:
        self._timer, self._wake_at = None, _FOREVER
        self._pump()


def _now() -> float:
    return asyncio.get_running_loop().time()
