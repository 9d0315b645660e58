"""A fuse for an endpoint: it blows when nothing comes back any more, so that a run stops instead of grinding."""

from __future__ import annotations

from typing import Final, final

from .errors import CallError, RateLimited, StageFailed

_FAILURES: Final = 20
_REQUESTS: Final = 10
_PATIENCE: Final = 900.0


@final
class Fuse:
    """Blows after 20 failures in a row with 10 different requests given up among them, or 15 minutes of 429s.

    Refused requests count only while nothing has been answered: later on the cause is the request.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures, self._given_up = 0, set[bytes]()
        self._answered_at: float | None = None
        self._busy_since: float | None = None
        self._blown: tuple[str, str] | None = None

    def check(self) -> None:
        """StageFailed when blown."""
        if self._blown is not None:
            raise StageFailed(self._blown[0], place=self._name, hint=self._blown[1])

    def blow(self, cause: str, hint: str) -> None:
        """From now on `check` raises; the first cause stays."""
        self._blown = self._blown or (cause, hint)

    def answered(self, now: float) -> None:
        """A reply came."""
        self._answered_at, self._busy_since = now, None
        if self._failures:
            self._failures = 0
            self._given_up.clear()

    def failed(self, key: bytes, error: CallError, *, given_up: bool, refused: bool = False) -> None:
        """A call failed; `given_up` when it will not be tried again."""
        if refused and self._answered_at is not None:
            return
        self._failures += 1
        self._busy_since = None
        if given_up:
            self._given_up.add(key)
        if self._failures >= _FAILURES and len(self._given_up) >= _REQUESTS:
            self.blow(
                f"the endpoint failed {self._failures} calls in a row; the last one: {error.show()}",
                "what was answered is kept: run it again once the endpoint works",
            )

    def waits(self, busy: RateLimited, now: float) -> None:
        """A call was told to wait; StageFailed when that would be too long."""
        self._busy_since = now if self._busy_since is None else self._busy_since
        if now + busy.retry_after - self._busy_since > _PATIENCE:
            hours = f"{busy.retry_after / 60:.0f} minutes" if busy.retry_after >= 60 else "longer"
            self.blow(
                f"the endpoint answers nothing but 429 and asks to wait {hours}",
                "what was answered is kept: run it again later, or lower requests_per_minute",
            )
        self.check()
