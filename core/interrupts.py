"""Ctrl-C while a run is at work."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

from .session import Session


@contextlib.contextmanager
def interruptible(session: Session) -> Iterator[None]:
    """Ctrl-C cancels the work in flight; journalled replies and finished stages stay."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    interrupted = False

    def stop() -> None:
        nonlocal interrupted
        interrupted = True
        session.stopping = True
        if task is not None:
            task.cancel()

    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread
        loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    except asyncio.CancelledError:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)
