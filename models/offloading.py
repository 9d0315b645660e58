"""Work on pixels for coroutines: on threads of its own, as many as there are cores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import ParamSpec, TypeVar

from .running import workers

P = ParamSpec("P")
R = TypeVar("R")


async def offloaded(work: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
    """What `work` gives, done on a thread; at most one call a core at once, so that few pictures are open."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), lambda: work(*args, **options))


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers(), thread_name_prefix="pixels")
