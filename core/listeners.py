"""Listeners that need no terminal: one that says nothing, one that writes JSON lines."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, TextIO, final

from .meter import Spend
from .secrets import redact


@final
class Silent:
    """Says nothing."""

    def stage_reused(self, name: str, rows: int) -> None:
        """Nothing."""

    def stage_begun(self, name: str, rows: int | None) -> None:
        """Nothing."""

    def rows_done(self, name: str, rows_in: int, rows_out: int) -> None:
        """Nothing."""

    def stage_done(self, name: str, rows_in: int, rows_out: int, dropped: int, failed: int, seconds: float) -> None:
        """Nothing."""

    def spent(self, spend: Spend) -> None:
        """Nothing."""


@final
class JsonLines:
    """One JSON object a line for stages that begin and end; rows at most every two seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._last = 0.0

    def stage_reused(self, name: str, rows: int) -> None:
        """A `reused` line."""
        self._line(event="reused", stage=name, rows=rows)

    def stage_begun(self, name: str, rows: int | None) -> None:
        """A `begun` line."""
        self._line(event="begun", stage=name, rows=rows)

    def rows_done(self, name: str, rows_in: int, rows_out: int) -> None:
        """A `rows` line, now and then."""
        if time.monotonic() - self._last > 2:
            self._last = time.monotonic()
            self._line(event="rows", stage=name, rows_in=rows_in, rows_out=rows_out)

    def stage_done(self, name: str, rows_in: int, rows_out: int, dropped: int, failed: int, seconds: float) -> None:
        """A `done` line."""
        self._line(
            event="done",
            stage=name,
            rows_in=rows_in,
            rows_out=rows_out,
            dropped=dropped,
            failed=failed,
            seconds=seconds,
        )

    def spent(self, spend: Spend) -> None:
        """Spend is in the last line of the run."""

    def _line(self, **fields: Any) -> None:
        print(redact(json.dumps(fields, ensure_ascii=False)), file=self._stream, flush=True)
