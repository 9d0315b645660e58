"""The journal as coroutines see it: look-ups of one turn of the loop travel together, and so do replies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final, final

from .errors import StageFailed
from .journal import Entry, Journal

_LINGER: Final = 0.02
"""Seconds a reply waits for others to share its commit. No call's slot is held meanwhile."""


@final
class Desk:
    """Belongs to one event loop. Crossing to the journal's thread once a group keeps a call cheap."""

    def __init__(self, journal: Journal, loop: asyncio.AbstractEventLoop) -> None:
        self._journal, self._loop = journal, loop
        self._asked: list[tuple[bytes, asyncio.Future[dict[str, Any] | None]]] = []
        self._given: list[tuple[Entry, asyncio.Future[None]]] = []
        self._due = False

    def look_up(self, key: bytes) -> asyncio.Future[dict[str, Any] | None]:
        """The reply kept under a key, or None."""
        future: asyncio.Future[dict[str, Any] | None] = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._send_asked)
        self._asked.append((key, future))
        return future

    def keep(self, entry: Entry) -> asyncio.Future[None]:
        """Done once the reply is durable; StageFailed when it cannot be kept (the disk is full, …)."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._given.append((entry, future))
        if not self._due:
            self._due = True
            self._loop.call_later(_LINGER, self._send_given)
        return future

    async def flush(self) -> None:
        """Return once every reply handed in so far is durable, even if who asked for it has left."""
        while self._due:
            await asyncio.sleep(_LINGER)

    def _send_asked(self) -> None:
        group, self._asked = self._asked, []
        done = self._journal.look_up([key for key, _ in group])
        done.add_done_callback(lambda found: self._loop.call_soon_threadsafe(self._answered, group, found))

    def _send_given(self) -> None:
        group, self._given = self._given, []
        done = self._journal.keep([entry for entry, _ in group])
        done.add_done_callback(lambda kept: self._loop.call_soon_threadsafe(self._kept, group, kept))

    @staticmethod
    def _answered(
        group: Sequence[tuple[bytes, asyncio.Future[dict[str, Any] | None]]],
        found: Future[dict[bytes, dict[str, Any]]],
    ) -> None:
        error = found.exception()
        replies = {} if error is not None else found.result()
        for key, future in group:
            if future.done():
                continue
            if error is not None:
                future.set_exception(_unusable("read", error))
            else:
                future.set_result(replies.get(key))

    def _kept(self, group: Sequence[tuple[Entry, asyncio.Future[None]]], kept: Future[None]) -> None:
        error = kept.exception()
        for _, future in group:
            if future.done():
                continue
            if error is not None:
                future.set_exception(_unusable("written", error))
            else:
                future.set_result(None)
        self._due = bool(self._given)
        if self._due:
            self._send_given()


def _unusable(how: str, error: BaseException) -> StageFailed:
    return StageFailed(f"the journal cannot be {how}: {error}", hint="is the disk full?")
