"""`rather plan` and `rather preview`: a look before the money is spent."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from ..core.engine import execute
from ..core.keys import stage_keys
from ..core.listeners import Silent
from ..core.plan import Node, Plan, make_plan
from ..core.row import SYSTEM
from ..core.session import RunOptions
from ..core.stage import Source
from ..core.store import RunFolder
from ..core.view import RunView
from .api import check, load_recipe


def print_plan(recipe: str, sets: Sequence[str], plugins: Sequence[str], out: Path | None) -> None:
    """A line a stage: finished or to run, rows expected, most calls and dollars."""
    plan = check(recipe, sets, plugins)
    options = RunOptions(out or Path("runs") / plan.recipe.name)
    folder, keys = RunFolder(options.out), stage_keys(plan, options)
    rows: int | None = None
    total, a_row = _Most(), _Most()
    print(f"{'stage':<26}{'shape':<8}{'state':<10}{'rows':>10}{'calls ≤':>14}{'$ ≤':>9}  models")
    for node in plan.nodes:
        record = folder.record(node.name, keys[node.index]) if node.skipped is None else None
        rows = record.rows_out if record else _expected(node, rows)
        state = "skipped" if node.skipped else "finished" if record else "to run"
        each = 0.0 if record or node.skipped else node.stage.calls_a_row()
        most = _Most(each, each * _usd_a_call(plan, node)) * (1 if rows is None else rows)
        if rows is None:
            a_row += most
        else:
            total += most
        told = f"{rows:,}" if rows is not None else "?"
        calls = f"{most.calls:,.0f}" + " a row" * (rows is None and most.calls > 0)
        models = ", ".join(_models(node))
        print(f"{node.name:<26}{node.stage.shape:<8}{state:<10}{told:>10}{calls:>14}{most.usd:>9.2f}  {models}")
    more = f" and {a_row.calls:,.0f} calls, ${a_row.usd:.2f} a row of unknown number" if a_row.calls else ""
    print(f"at most {total.calls:,.0f} calls, ${total.usd:.2f}{more}, before any drop; run folder {options.out}")


@final
@dataclass(frozen=True)
class _Most:
    """Most calls and dollars."""

    calls: float = 0.0
    usd: float = 0.0

    def __add__(self, other: _Most) -> _Most:
        return _Most(self.calls + other.calls, self.usd + other.usd)

    def __mul__(self, rows: int) -> _Most:
        return _Most(self.calls * rows, self.usd * rows)


def print_preview(recipe: str, n: int, sets: Sequence[str], plugins: Sequence[str]) -> None:
    """Run the first n rows through all stages but sinks, in a folder that is thrown away."""
    loaded = load_recipe(recipe, sets, plugins)
    plan = make_plan(loaded)
    sinks = {node.name for node in plan.nodes if node.stage.shape == "sink"}
    short = make_plan(replace(loaded, stages=tuple(entry for entry in loaded.stages if entry.name not in sinks)))
    with tempfile.TemporaryDirectory() as scratch:
        journal = Path("runs") / "journal.sqlite"
        options = RunOptions(Path(scratch) / "preview", limit=n, journal=journal if journal.exists() else None)
        view = execute(short, options, Silent())
        _print_rows(view)
    if sinks:
        print(f"not run in a preview: {', '.join(sorted(sinks))}")


def _print_rows(view: RunView) -> None:
    seen: set[str] = set(SYSTEM)
    for count in view.funnel:
        if count.skipped is not None:
            print(f"\n── {count.stage}: skipped ({count.skipped})")
            continue
        went = "".join(f"; {n} dropped: {reason}" for reason, n in count.dropped.items())
        print(f"\n── {count.stage}: {count.rows_in} in, {count.rows_out} out{went}")
        frame = view.frame(count.stage)
        new = [name for name in frame.names if name not in seen]
        seen |= set(new)
        for row in frame.table(new).slice(0, 5).to_pylist() if new and len(frame) else []:
            for name, value in row.items():
                print(f"   {name}: {_short(value)}")
            print()


def _short(value: object) -> str:
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if item is not None}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = [{key: item for key, item in entry.items() if item is not None} for entry in value]
    text = " ".join(str(value).split())
    return text if len(text) <= 240 else f"{text[:237]}…"


def _expected(node: Node, rows: int | None) -> int | None:
    return node.stage.rows_expected() if isinstance(node.stage, Source) else rows


def _usd_a_call(plan: Plan, node: Node) -> float:
    return max((plan.models[name].usd_a_call() for name in _models(node) if name in plan.models), default=0.0)


def _models(node: Node) -> list[str]:
    return list(node.stage.models_named())
