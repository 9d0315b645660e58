"""Work done ahead: items made by a thread of their own, or by several at once, in their order."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar, final

S = TypeVar("S")
T = TypeVar("T")
_END: Final = object()


@final
class Prefetched(Iterator[T]):
    """The same items, made `depth` ahead by a thread of their own; its errors arrive here.

    `close` may be called at any time, from any thread: a reader waiting for an item then ends.
    """

    def __init__(self, items: Iterable[T], depth: int = 2) -> None:
        self._box, self._left = queue.Queue[object](depth), threading.Event()
        # The thread holds no reference to the reader, so that one left unread ends it when it goes.
        threading.Thread(target=_fill, args=(items, self._box, self._left), daemon=True, name="prefetch").start()

    def __next__(self) -> T:
        while not self._left.is_set():
            with contextlib.suppress(queue.Empty):
                item = self._box.get(timeout=0.2)
                if item is _END:
                    self.close()
                elif isinstance(item, _Raised):
                    self.close()
                    raise item.error
                else:
                    return item  # type: ignore[return-value]
        raise StopIteration

    def __del__(self) -> None:
        self._left.set()

    def close(self) -> None:
        """Stop making items."""
        self._left.set()


def _fill(items: Iterable[object], box: queue.Queue[object], left: threading.Event) -> None:
    def put(item: object) -> bool:
        while not left.is_set():
            with contextlib.suppress(queue.Full):
                box.put(item, timeout=0.1)
                return True
        return False

    try:
        for item in items:
            if not put(item):
                return
        put(_END)
    except BaseException as error:  # handed over to the reader, whatever it is
        put(_Raised(error))


def prefetched(items: Iterable[T], depth: int = 2) -> Prefetched[T]:
    """Read ahead: see `Prefetched`."""
    return Prefetched(items, depth)


def concurrently(work: Callable[[S], T], items: Iterable[S], width: int) -> Iterator[T]:
    """`work` of every item in their order, done by `width` threads at once."""
    with ThreadPoolExecutor(width, thread_name_prefix="concurrently") as pool:
        waiting: deque[Future[T]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > width:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@final
class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error
