"""Work on pixels runs beside the loop, never on more threads than there are cores."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from rather.models import offloading
from rather.models.offloading import offloaded


def test_as_many_at_once_as_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offloading, "workers", lambda: 2)
    offloading._threads.cache_clear()
    at_work: set[int] = set()
    most: list[int] = []
    lock = threading.Lock()

    def work(number: int, *, twice: bool) -> int:
        with lock:
            at_work.add(number)
            most.append(len(at_work))
        time.sleep(0.01)
        with lock:
            at_work.discard(number)
        return number * (2 if twice else 1)

    async def every() -> list[int]:
        return await asyncio.gather(*(offloaded(work, k, twice=True) for k in range(12)))

    try:
        assert asyncio.run(every()) == [2 * k for k in range(12)]
        assert max(most) == 2
    finally:
        offloading._threads.cache_clear()


def test_an_error_arrives_where_it_is_waited_for() -> None:
    def fails() -> None:
        raise LookupError("no pixel")

    with pytest.raises(LookupError, match="no pixel"):
        asyncio.run(offloaded(fails))
