"""The funnel of the report: one line a stage, and the rows as a stream through them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from .report_data import StageLine
from .report_figures import river, share_bar, stage_bar
from .report_text import seconds

if TYPE_CHECKING:
    from ..core.store import Record
    from ..core.view import RunView

HELD_OUT: Final = "held out for evidence"
_RIVER: Final = 9
"""Steps the stream shows at most."""


def stage_lines(view: RunView) -> tuple[StageLine, ...]:
    """One line a stage, in order, skipped ones too."""
    ran = [line for line in view.funnel if line.skipped is None]
    widest = max((line.rows_out + sum(line.dropped.values()) for line in ran), default=0)
    slowest = max((line.seconds for line in ran), default=0.0)
    return tuple(_line(line, widest, slowest) for line in view.funnel)


def stream(view: RunView) -> str:
    """The river of rows through the stages that changed their number, the largest changes when many."""
    ran = [line for line in view.funnel if line.skipped is None and line.shape != "sink"]
    moved = [k for k, line in enumerate(ran) if k and (line.dropped or line.failed or line.made)]
    largest = sorted(moved, key=lambda k: -abs(ran[k].rows_in - ran[k].rows_out))[: _RIVER - 1]
    steps = [_step(ran[k]) for k in ([0, *sorted(largest)] if ran and largest else [])]
    told = ", ".join(f"{out:,} after {name}" for name, out, _, _ in steps)
    return river(steps, f"Rows through the run: {told}")


def rows_in(view: RunView) -> int:
    """Rows that came from all sources."""
    return sum(line.rows_out + _gone(line) for line in view.funnel if line.shape == "source" and line.skipped is None)


def rows_out(view: RunView) -> int:
    """Rows left by the last stage that is not a sink."""
    ran = [line for line in view.funnel if line.skipped is None and line.shape != "sink"]
    return ran[-1].rows_out if ran else 0


def _line(line: Record, widest: int, slowest: float) -> StageLine:
    dropped = tuple(largest(line.dropped))
    bar = stage_bar(line.rows_in, line.rows_out, _gone(line), widest)
    time_bar = share_bar(line.seconds / slowest if slowest else 0.0, seconds(line.seconds), "time")
    return StageLine(
        line.stage, line.shape, line.rows_in, line.made, line.rows_out, dropped, line.failed, line.skipped or "",
        line.seconds, line.calls, line.calls_reused, line.tokens, line.usd, bar, time_bar,
    )  # fmt: skip


def _step(line: Record) -> tuple[str, int, int, str]:
    reasons = largest(line.dropped)
    words = reasons[0][0] if reasons else ("failed" if line.failed else "")
    more = f" +{len(reasons) - 1} more" if len(reasons) > 1 else ""
    return line.stage, line.rows_out, _gone(line), words + more


def _gone(line: Record) -> int:
    return sum(line.dropped.values()) + line.failed


def largest(dropped: Mapping[str, int]) -> list[tuple[str, int]]:
    """(reason, rows) of the reasons that took any, the largest first."""
    took = [(reason, rows) for reason, rows in dropped.items() if rows]
    return sorted(took, key=lambda entry: (-entry[1], entry[0]))
