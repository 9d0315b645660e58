"""An event loop whose clock jumps to the next timer, so that hours of waiting take no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Jumping(selectors.DefaultSelector):
    loop: QuickLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            self.loop.now += timeout
            timeout = 0
        return super().select(timeout)


class QuickLoop(asyncio.SelectorEventLoop):
    """Time stands still while anything is to be done. No threads, no sockets."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def run_quickly(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine on a loop of its own."""
    loop = QuickLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
