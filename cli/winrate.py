"""`rather winrate`: raw, at equal length, and sharpened by few human labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa

from ..core.errors import InputError, did_you_mean
from ..core.estimates import Estimate, mean
from ..core.runs import open_run
from ..core.view import RunView
from ..core.winrate import control_variate, length_controlled
from ..filters.judged import Judged, Names, read_judged
from ..filters.measures import number
from ..filters.reasons import floats
from ..formats.read_pairs import ReadPairs

FOLDS = 5


@final
@dataclass(frozen=True)
class WinRequest:
    """The options of `rather winrate` as typed."""

    judged: str
    column: str = "judge_p"
    ours: str | None = None
    human: str | None = None
    difficulty: str | None = None
    json: bool = False


@final
@dataclass(frozen=True)
class Rows:
    """A table in memory, read like a frame."""

    held: pa.Table

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        return tuple(self.held.column_names)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """One batch."""
        yield self.table(columns)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The columns named."""
        return self.held if columns is None else self.held.select(list(columns))


def print_win_rates(request: WinRequest) -> dict[str, Any]:
    """Compute and print; the figures as plain JSON."""
    rows = _rows(request)
    judged = read_judged(rows, Names(request.column, human=request.human, kin=request.ours))  # type: ignore[arg-type]
    difficulty = floats(rows.table([request.difficulty])[request.difficulty]) if request.difficulty else None
    found = win_rates(judged, request.ours is not None, difficulty)
    if request.json:
        print(json.dumps(found, ensure_ascii=False))
        return found
    for name, told in found["rates"].items():
        print(f"{name:<34}{told['value']:7.1%}   {told['low']:.1%} to {told['high']:.1%}")
    for line in found["notes"]:
        print(line)
    return found


def win_rates(judged: Judged, ours: bool, difficulty: np.ndarray | None = None) -> dict[str, Any]:
    """Rates of chosen over rejected, or with `ours` of the answers by our models; ties count ½."""
    sign = np.where(judged.own == 1, 1.0, np.where(judged.own == 0, -1.0, np.nan)) if ours else np.ones(len(judged))
    wins, human = (np.where(sign > 0, side, np.where(sign < 0, 1 - side, np.nan)) for side in (judged.p, judged.human))
    told = np.isfinite(wins) & (np.isfinite(difficulty) if difficulty is not None else True)
    if told.sum() < 2 * FOLDS:
        hint = "--ours takes a part of the model's name" if ours else "judge more rows"
        raise InputError(
            f"{int(told.sum())} rows have a verdict that counts", hint=f"needed: {2 * FOLDS} or more; {hint}"
        )
    wins, human, delta = wins[told], human[told], (judged.longer * sign)[told]
    level = length_controlled(wins, delta, difficulty[told] if difficulty is not None else None)
    rates = {"win rate by the judge": _told(mean(wins)), "at equal length": _told(level.rate)}
    notes = [f"worth of length: {level.slope.value:+.2f} log-odds ({level.slope.low:+.2f} to {level.slope.high:+.2f})"]
    if level.suspicious:
        notes.append("length decides much here: the raw rate and the one at equal length are over ten points apart")
    labels = int(np.isfinite(human).sum())
    if labels >= 2 * FOLDS:
        sharp = control_variate(human, wins)
        rates |= {"by people alone": _told(sharp.plain), "by people, judge as control variate": _told(sharp.rate)}
        notes.append(
            f"{labels:,} human labels of {sharp.judged:,}: correlation {sharp.correlation:.2f},"
            f" the judge spares {sharp.saving:.0%} of the labels at equal precision"
        )
    return {"rows": int(told.sum()), "rates": rates, "notes": notes}


def _rows(request: WinRequest) -> Rows:
    folder = Path(request.judged)
    if (folder / "run.json").exists():
        frame = _judged_frame(open_run(folder), request)
        wanted = [request.column, request.human or "gold", request.difficulty, "chosen", "rejected", "prompt_hash"]
        return Rows(frame.table([name for name in wanted if name is not None and name in frame.names]))
    table = pa.concat_tables(list(ReadPairs(path=request.judged).batches()))
    for name in (request.column, request.human, request.difficulty):
        if name is not None and name not in table.column_names:
            cause = f"no column {name}"
            raise InputError(cause, place=request.judged, hint=did_you_mean(name, table.column_names))
    return Rows(table.append_column("prompt_hash", pa.array(np.zeros(table.num_rows, np.uint64))))


def _judged_frame(view: RunView, request: WinRequest) -> Any:
    """The rows after the last stage that still has the judge's column."""
    for line in reversed(view.funnel):
        if line.skipped is None and request.column in view.frame(line.stage).names:
            return view.frame(line.stage)
    raise InputError(f"no stage of this run wrote {request.column}", place=request.judged, hint="--column NAME")


def _told(found: Estimate) -> dict[str, float | None]:
    return {"value": number(found.value), "low": number(found.low), "high": number(found.high)}
