"""The live display of a run on a terminal: a line a stage, rates, time left, spend."""

from __future__ import annotations

from typing import final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from ..core.meter import Spend


@final
class Live:
    """A `Listener` that draws; `stop` leaves the terminal as it was."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()

    def stop(self) -> None:
        """Take the display away."""
        self._progress.stop()

    def stage_reused(self, name: str, rows: int) -> None:
        """A full bar."""
        self._task(name, rows, "reused")
        self._progress.update(self._tasks[name], completed=rows)

    def stage_begun(self, name: str, rows: int | None) -> None:
        """An empty bar."""
        self._task(name, rows, "")

    def rows_done(self, name: str, rows_in: int, rows_out: int) -> None:
        """The bar moves; drops so far stand beside it."""
        if name in self._tasks:
            task = self._progress.tasks[self._tasks[name]]
            rate = f"{task.speed:,.0f} rows/s" if task.speed else ""
            note = f"{rows_in - rows_out:,} dropped" if rows_out < rows_in else ""
            self._progress.update(self._tasks[name], completed=rows_in, rate=rate, note=note)

    def stage_done(self, name: str, rows_in: int, rows_out: int, dropped: int, failed: int, seconds: float) -> None:
        """The bar is full."""
        if name in self._tasks:
            note = ", ".join([f"{dropped:,} dropped"] * bool(dropped) + [f"{failed:,} failed"] * bool(failed))
            self._progress.update(self._tasks[name], total=rows_in, completed=rows_in, note=note)

    def spent(self, spend: Spend) -> None:
        """Calls and money, under the last bar."""
        if spend.calls or spend.reused:
            text = f"{spend.calls:,} calls, {spend.reused:,} reused, {spend.tokens:,} tokens, ${spend.usd:.2f}"
            if "spend" not in self._tasks:
                self._task("spend", None, text)
            self._progress.update(self._tasks["spend"], note=text)

    def _task(self, name: str, rows: int | None, note: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=rows, note=note, rate="")
