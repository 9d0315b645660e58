"""How many calls an endpoint gets: slow start, additive increase, multiplicative decrease, its own waits.

What counts is the share of 429s among calls that began together, not a single one: an endpoint that
answers one call in a hundred so is not full, and is not slowed down for it. When lowering the number
of calls does not lower that share, calls are not what brings it about, and the number is restored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, final

_MINUTE: Final = 60.0
_TICK: Final = 0.001  # rounding must not open a door that is still shut
_FIRST: Final = 64
_SAMPLE: Final = 32
_TOLERATED: Final = 0.05
_FLOODED: Final = 0.8
_STREAK: Final = 8
_FOREVER: Final = float("inf")


@final
class Round:
    """Calls that began one after the other, looked at as one sample.

    `generation` tells how often the number of calls had been changed before it; `peak` is the number
    that this sample lowered.
    """

    __slots__ = ("size", "begun", "ended", "busy", "generation", "peak")

    def __init__(self, size: int, generation: int) -> None:
        self.size, self.generation = size, generation
        self.begun = self.ended = self.busy = 0
        self.peak: float | None = None

    @property
    def share(self) -> float:
        """Part of its calls that got a 429."""
        return self.busy / self.begun


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
        self._waiting: deque[asyncio.Future[Round]] = deque()
        self._starts: deque[float] = deque()
        self._tokens: deque[tuple[float, int]] = deque()
        self._token_sum = 0
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = _FOREVER
        self._doubling, self._streak = True, 0
        self._ceiling, self._caution = _FOREVER, 8
        self._tolerated, self._generation = _TOLERATED, 0
        self._lowered: Round | None = None
        self._round = self._fresh()

    async def enter(self, again: bool = False) -> Round:
        """Wait until a call may begin, in order of coming, those that come `again` first.

        What it gives goes to `leave` or `busy`.
        """
        if not self._waiting and self._open_in() <= 0:
            return self._begin()
        future: asyncio.Future[Round] = asyncio.get_running_loop().create_future()
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

    def leave(self, round: Round, tokens: int = 0, ok: bool = False) -> None:
        """A call ended, well (`ok`) or not; `tokens` count against the minute."""
        self.in_flight -= 1
        if tokens and self._tokens_per_minute is not None:
            self._tokens.append((_now(), tokens))
            self._token_sum += tokens
        if ok:
            self._streak = 0
            if self.limit < self.most and self.in_flight + 1 >= self.limit / 2:
                self.limit = min(self.most, self.limit + self._step())
        self._count(round, busy=False)
        self._pump()

    def busy(self, round: Round, seconds: float) -> None:
        """A call ended with a 429: its caller waits `seconds`, and all others too when nothing gets by."""
        self.in_flight -= 1
        self._streak += 1
        if self.in_flight <= 0 and self._streak >= min(_STREAK, max(3, int(self.limit))):
            self._rest_until = max(self._rest_until, _now() + seconds)
        self._count(round, busy=True)
        self._pump()

    def _step(self) -> float:
        """How much a success raises the limit: as much again in a round, or a sixteenth; near the ceiling, hardly."""
        if self._doubling:
            return 1.0
        near = self.limit + 1 > 0.8 * self._ceiling and self.limit < 1.25 * self._ceiling
        return max(1.0 / self.limit, 1 / 16) / (self._caution if near else 1)

    def _count(self, round: Round, busy: bool) -> None:
        round.ended += 1
        round.busy += busy
        # Calls still on their way are taken for answered: 429s come back first.
        if round.generation == self._generation and round.busy > self._tolerated * round.size + 3:
            self._lower(round)
        if round.ended == round.begun and round is not self._round:
            self._judge(round)

    def _lower(self, round: Round) -> None:
        round.peak = self.limit
        same = 0.7 < self.limit / self._ceiling < 1.4
        self._caution = min(64, self._caution * 2) if same else 8
        self._ceiling, self._doubling = self.limit, False
        self._change(max(1.0, self.limit * (0.5 if round.busy > round.ended / 2 else 0.7)))

    def _judge(self, round: Round) -> None:
        """Look at a sample whose calls have all ended."""
        if round.peak is None:
            self._tolerated = max(_TOLERATED, min(self._tolerated, round.share + 0.1))
            return
        before, self._lowered = self._lowered, round
        if before is None or before.generation != round.generation - 1 or before.peak is None:
            return
        if before.share - 0.1 <= round.share < _FLOODED:
            self._tolerated, self._lowered = round.share + 0.1, None
            self._ceiling, self._doubling = _FOREVER, True
            self._change(max(self.limit, before.peak))

    def _change(self, limit: float) -> None:
        """Set the number of calls; what has begun before says nothing of it."""
        self.limit = limit
        self._generation += 1
        self._round = self._fresh()

    def _fresh(self) -> Round:
        return Round(max(_SAMPLE, int(self.limit)), self._generation)

    def _begin(self) -> Round:
        self.in_flight += 1
        if self._per_minute is not None:
            self._starts.append(_now())
        round = self._round
        round.begun += 1
        if round.begun == round.size:
            self._round = self._fresh()
        return round

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
                wait = max(wait, self._starts[0] + _MINUTE - now, _TICK)
        if self._tokens_per_minute is not None:
            while self._tokens and self._tokens[0][0] <= now - _MINUTE:
                self._token_sum -= self._tokens.popleft()[1]
            if self._token_sum >= self._tokens_per_minute:
                wait = max(wait, self._tokens[0][0] + _MINUTE - now, _TICK)
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
