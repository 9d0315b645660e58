"""What a finished run says: the funnel on a terminal, or one JSON line for scripts."""

from __future__ import annotations

from typing import Any

from ..core.row import answer_text, last_user_text
from ..core.view import RunView


def result_line(view: RunView) -> dict[str, Any]:
    """The contract of `--json`: totals, drops by stage, skips, calls, seconds, the run folder."""
    counts = [count for count in view.funnel if count.skipped is None]
    rows = [count for count in counts if count.shape != "sink"]
    return {
        "rows_in": sum(c.rows_in for c in counts if c.shape == "source"),
        "made": sum(c.made for c in counts),
        "rows_out": rows[-1].rows_out if rows else 0,
        "dropped": {c.stage: sum(c.dropped.values()) for c in counts if c.dropped},
        "failed": sum(c.failed for c in counts),
        "unanswered": sum(c.unanswered for c in counts),
        "skipped": [{"stage": c.stage, "why": c.skipped} for c in view.funnel if c.skipped is not None],
        "calls": sum(c.calls for c in counts if not c.reused),
        "calls_reused": sum(c.calls_reused for c in counts if not c.reused),
        "tokens": sum(c.tokens for c in counts if not c.reused),
        "usd": round(sum(c.usd for c in counts if not c.reused), 6),
        "reused": [c.stage for c in counts if c.reused],
        "facts": view.facts,
        "seconds": round(view.seconds, 3),
        "out": str(view.path),
    }


def print_summary(view: RunView) -> None:
    """The funnel, what was left behind, and where the report is."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("stage", "left"), ("in", "right"), ("out", "right"), ("what went", "left"), ("s", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for count in view.funnel:
        if count.skipped is not None:
            table.add_row(count.stage, "", "", f"skipped ({count.skipped})", "")
            continue
        went = [f"{n:,} {reason}" for reason, n in sorted(count.dropped.items(), key=lambda item: -item[1])]
        went += [f"{count.made:,} made"] * bool(count.made) + [f"{count.failed:,} failed"] * bool(count.failed)
        went += [f"{count.unanswered:,} without an answer: run again to ask anew"] * bool(count.unanswered)
        seconds = "reused" if count.reused else f"{count.seconds:.1f}"
        table.add_row(count.stage, f"{count.rows_in:,}", f"{count.rows_out:,}", ", ".join(went), seconds)
    console.print(table)
    for name, facts in view.facts.items():
        told = {key: value for key, value in facts.items() if isinstance(value, (str, int, float)) and key != "path"}
        text = ", ".join(f"{key} {value}" for key, value in list(told.items())[:6])
        console.print(
            f"{name}: {facts.get('path', '')}  {text}".rstrip(), highlight=False, markup=False, soft_wrap=True
        )
    console.print(f"run: {view.path}   {view.seconds:.1f} s, {view.peak_mib:.0f} MiB", highlight=False, soft_wrap=True)
    console.print(f"report: {view.path / 'report.html'}", highlight=False, soft_wrap=True)


def print_pairs(view: RunView, n: int) -> None:
    """A few kept pairs with why they were kept: how the negative was made, and their measures."""
    if not n:
        return
    final = [node for node in view.plan.active if node.stage.shape != "sink"][-1]
    frame = view.frame(final.name)
    measured = [name for name in ("margin", "fifa", "peer_margin_a") if name in frame.names]
    if not {"prompt", "chosen", "rejected"} <= set(frame.names):
        return
    table = frame.table(["prompt", "chosen", "rejected", *measured])
    step = max(1, table.num_rows // n)
    table = table.take(list(range(0, table.num_rows, step))[:n]).combine_chunks()
    texts = [last_user_text(table["prompt"]), answer_text(table["chosen"]), answer_text(table["rejected"])]
    made = table["rejected"].to_pylist()
    for index in range(table.num_rows):
        prompt, chosen, rejected = (_short(text[index].as_py()) for text in texts)
        origin = (made[index] or {}).get("made_by") or {}
        why = [f"{name} {table[name][index].as_py():.2f}" for name in measured if table[name][index].is_valid]
        why += [f"rejected made by {origin['method']} {origin['params']}"] * bool(origin.get("method"))
        print(f"\n{index + 1}. {prompt}\n   this:        {chosen}\n   rather than: {rejected}")
        print(f"   kept:        {'; '.join(why)}")


def _short(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= 160 else line[:157] + "…"
