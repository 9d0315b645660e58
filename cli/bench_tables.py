"""The scores of a bench: by group with intervals, beside the floor and what others published."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from ..core import bias
from ..core.estimates import Estimate, share_of
from ..core.view import RunView
from ..filters.judged import Judged, Names, correct, read_judged
from ..filters.measures import number
from .bench_data import Bench
from .published import LLMBAR, LONGEST, SUBSETS

Scores = dict[str, Any]
_HEADS: Final = (
    "group", "rows", "accuracy", "95 %", "right in both orders", "orders agree", "longer wins", "no verdict"
)  # fmt: skip


def scores_of(view: RunView, bench: Bench, by: str | None) -> Scores:
    """Groups with accuracy, both-right, agreement of the orders and the floor, and their means.

    Accuracy is the mean of both orders; a verdict that is a tie or missing is worth ½ and agrees
    with nothing, as in LLMBar. Where people may tie, three-way figures stand beside.
    """
    frame = view.frame("judge.pairwise")
    names = Names("judge_p", "judge_first", "judge_second", by=by, order=True)
    judged = read_judged(frame, names)
    kinds = sorted(set(judged.group.tolist()) - {""}, key=_order)
    groups = [_scored(name, judged.at(np.flatnonzero(judged.group == name))) for name in kinds]
    whole = _scored("all", judged)
    facts = view.facts["diagnose.judge"]
    found: Scores = {"groups": groups, "all": whole, "refused": facts["refused"], "why": facts["why"]}
    if len(groups) > 1:
        accuracy = np.array([group["accuracy"]["value"] for group in groups], float)
        found |= {"mean_of_groups": number(accuracy.mean()), "sd_of_groups": number(accuracy.std(ddof=1))}
    if bench.ties:
        votes = frame.table(["votes", "majority"]) if {"votes", "majority"} <= set(frame.names) else None
        found["three_way"] = three_way(judged, votes.to_pydict() if votes is not None else None)
    return found


def three_way(judged: Judged, votes: dict[str, Any] | None) -> dict[str, Any]:
    """Win, tie or loss against the majority, κ, and against single votes beside people among themselves."""
    both = np.where(judged.given == judged.swapped, judged.given, 0.5)
    ours = np.where(np.isnan(judged.given) | np.isnan(judged.swapped), np.nan, both)
    told = np.isfinite(ours)
    mine, majority = ours[told], judged.human[told]
    kappa = bias.cohen_kappa(np.r_[mine, 1 - mine], np.r_[majority, 1 - majority])
    found: dict[str, Any] = {"majority": _told(share_of(mine == majority)), "kappa": number(kappa)}
    if votes is not None:
        # Votes count answers as the source did: 1, 2 or 0 = tie; the better of the two became chosen.
        side = {1: 1.0, 2: 0.0, 0: 0.5}
        people = [[side[v] if m != 2 else 1 - side[v] for v in row]
                  for row, m in zip(votes["votes"], votes["majority"], strict=True)]  # fmt: skip
        single = [np.mean([v == p for v in row]) for row, p in zip(people, ours, strict=True) if np.isfinite(p)]
        among = [np.mean([a == b for i, a in enumerate(row) for b in row[:i]]) for row in people]
        found |= {
            "single_vote": _told(share_of(np.array(single))),
            "people_among_themselves": _told(share_of(np.array(among))),
        }
    return found


def print_scores(found: Scores, bench: Bench, strategy: str, out: Path) -> None:
    """Tables on standard output."""
    from rich.console import Console

    console = Console(width=max(120, Console().width))
    console.print(_groups(found))
    if "mean_of_groups" in found:
        console.print(f"mean of the groups {_percent(found['mean_of_groups'])}, sd {_percent(found['sd_of_groups'])}")
    for name, value in found.get("three_way", {}).items():
        told = f"{value:.2f}" if name == "kappa" else f"{_percent(value['value'])} ({_interval(value)})"
        console.print(f"three ways, {name.replace('_', ' ')}: {told}")
    if bench.name == "llmbar":
        _print_published(console, strategy)
    if found["refused"]:
        console.print(f"\nDO NOT TRUST THIS JUDGE: {found['why']}", style="bold")
    console.print(f"report: {out / 'report.html'}", soft_wrap=True)


def _groups(found: Scores) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in _HEADS:
        table.add_column(name, justify="left" if name == "group" else "right", no_wrap=True)
    for group in (*found["groups"], found["all"]):
        table.add_row(
            group["group"], f"{group['rows']:,}", _percent(group["accuracy"]["value"]), _interval(group["accuracy"]),
            *(_percent(group[name]["value"]) for name in ("both", "agree", "longest")), f"{group['missing']:,}",
        )  # fmt: skip
    return table


def _print_published(console: Any, strategy: str) -> None:
    from rich.table import Table

    table = Table(
        box=None, header_style="bold", title=f"published, {strategy} (accuracy/agreement)", title_justify="left"
    )
    for name in ("judge", *SUBSETS):
        table.add_column(name, justify="left" if name == "judge" else "right", no_wrap=True)
    for judge, cells in LLMBAR[strategy].items():
        table.add_row(judge, *(f"{accuracy:.1f}/{agree}" for accuracy, agree in cells))
    table.add_row("the longer wins, all 419 rows", *(f"{value:.1f}" for value in LONGEST))
    console.print()
    console.print(table)


def _scored(name: str, rows: Judged) -> dict[str, Any]:
    sides = [correct(side, rows.human) for side in (rows.given, rows.swapped)]
    decided = (rows.human == 0) | (rows.human == 1)
    half = [np.where(decided, np.where(np.isnan(side), 0.5, side), np.nan) for side in sides]
    agree = np.isfinite(rows.given) & (rows.given == rows.swapped) & (rows.given != 0.5)
    return {
        "group": name,
        "rows": len(rows),
        "accuracy": _told(share_of((half[0] + half[1]) / 2)),
        "both": _told(share_of(np.where(decided, (sides[0] == 1) & (sides[1] == 1), np.nan))),
        "agree": _told(share_of(agree)),
        "longest": _told(bias.longest_wins(rows.human, rows.longer)),
        "missing": int(np.isnan(rows.p).sum()),
    }


def _order(name: str) -> tuple[int, str]:
    return (SUBSETS.index(name.lower()) if name.lower() in SUBSETS else len(SUBSETS), name)


def _told(found: Estimate) -> dict[str, float | None]:
    return {"value": number(found.value), "low": number(found.low), "high": number(found.high)}


def _interval(told: dict[str, float | None]) -> str:
    return f"{_percent(told['low'])}–{_percent(told['high'])}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
