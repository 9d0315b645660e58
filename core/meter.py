"""What a run has spent, and what it may spend."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import final

from .errors import BudgetReached


@final
@dataclass(frozen=True)
class Budget:
    """Upper limits of a run, resumed parts included; None = no limit. `usd` is in dollars."""

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None


@final
@dataclass(frozen=True)
class Spend:
    """Calls made and reused, tokens (prompt + completion) and dollars."""

    calls: int = 0
    reused: int = 0
    tokens: int = 0
    usd: float = 0.0

    def plus(self, calls: int, reused: int, tokens: int, usd: float) -> Spend:
        """The sum."""
        return Spend(self.calls + calls, self.reused + reused, self.tokens + tokens, self.usd + usd)


@final
class Meter:
    """Counts spend from any thread and refuses the call that would begin past the budget.

    `before` is what earlier runs of the same folder paid, so that a budget survives resume.
    """

    def __init__(self, budget: Budget, before: Spend | None = None) -> None:
        self._budget, self._before, self._now = budget, before or Spend(), Spend()
        self._stages: dict[str, Spend] = {}
        self._reserved, self._lock = 0, threading.Lock()

    def of(self, stage: str) -> Spend:
        """This run's spend for one stage. Of equal questions asked at once by two, the first pays."""
        with self._lock:
            return self._stages.get(stage, Spend())

    @property
    def total(self) -> Spend:
        """This run's and the earlier ones' spend together."""
        with self._lock:
            now = self._now
        return self._before.plus(now.calls, now.reused, now.tokens, now.usd)

    def reserve(self) -> None:
        """Ask for one call; BudgetReached when a limit is met. Follow with `paid` or `release`."""
        with self._lock:
            known = self._before.calls + self._now.calls
            calls = known + self._reserved
            # Calls on their way are taken to cost what those before them did on average.
            share = calls / known if known else 1.0
            tokens = math.ceil((self._before.tokens + self._now.tokens) * share)
            usd = (self._before.usd + self._now.usd) * share
            limit = self._budget
            if limit.calls is not None and calls >= limit.calls:
                raise BudgetReached(f"the budget of {limit.calls} calls is used up", hint=_MORE)
            if limit.tokens is not None and tokens >= limit.tokens:
                raise BudgetReached(
                    f"the budget of {limit.tokens} tokens is used up ({tokens} spent or on their way)", hint=_MORE
                )
            if limit.usd is not None and usd >= limit.usd - _CENTS:
                raise BudgetReached(
                    f"the budget of ${limit.usd:.2f} is used up (${usd:.2f} spent or on their way)", hint=_MORE
                )
            self._reserved += 1

    def release(self) -> None:
        """A reserved call was not paid for."""
        with self._lock:
            self._reserved -= 1

    def paid(self, stage: str, tokens: int, usd: float) -> None:
        """A reserved call of a stage was answered."""
        with self._lock:
            self._reserved -= 1
            self._enter(stage, 1, 0, tokens, usd)

    def reused(self, stage: str) -> None:
        """A stage's reply came from the journal."""
        with self._lock:
            self._enter(stage, 0, 1, 0, 0.0)

    def _enter(self, stage: str, calls: int, reused: int, tokens: int, usd: float) -> None:
        self._now = self._now.plus(calls, reused, tokens, usd)
        self._stages[stage] = self._stages.get(stage, Spend()).plus(calls, reused, tokens, usd)


_CENTS = 1e-9  # sums of prices are not exact
_MORE = "everything answered is kept; run the same command with a larger budget to go on"
