"""What a panel of judges comes to: who may judge what, and how their verdicts are put together."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal, TypeVar

from ..core.stage import Context
from ..models.answers import Answer

T = TypeVar("T")
R = TypeVar("R")
Combine = Literal["mean", "median", "min", "max"]
COMBINED: Final[Mapping[Combine, Callable[[Sequence[float]], float]]] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "min": min,
    "max": max,
}


def names_of(ctx: Context, nickname: str) -> frozenset[str]:
    """What a judge's own answers may be signed with: its nickname, the name its endpoint knows it by, and how
    stages that make sign (`use name`)."""
    spec = ctx.view.plan.models.get(nickname)
    name = str(getattr(spec, "name", "") or "")
    signed = f"{getattr(spec, 'use', '')} {name}".strip()
    return frozenset({nickname, name, signed} - {""})


def wrote(names: frozenset[str], answers: Sequence[Answer]) -> bool:
    """Whether one of the answers is the judge's own."""
    return any(answer.model in names for answer in answers)


def side_by_side(work: Callable[[T], R], members: Sequence[T]) -> list[R]:
    """`work` for every member at once, results in order: no judge waits for another."""
    with ThreadPoolExecutor(max(1, min(len(members), 16))) as pool:
        return list(pool.map(work, members))


def together(
    column: str, values: Sequence[float | None], outcomes: Sequence[str | None], quorum: int, combine: Combine
) -> dict[str, Any]:
    """One answer's columns from all judges' values (null = none or excluded) and outcomes (null = excluded).

    There is a combined value once min(quorum, judges not excluded) values are there, at least one.
    """
    there = [value for value in values if value is not None]
    asked = [outcome for outcome in outcomes if outcome is not None]
    found: dict[str, Any] = {f"{column}_by_judge": list(values), f"{column}_outcomes": list(outcomes)}
    if not asked:
        return found
    if there and len(there) >= min(quorum, len(asked)):
        spread = statistics.pstdev(there) if len(there) > 1 else None
        return found | {column: COMBINED[combine](there), f"{column}_sd": spread, f"{column}_outcome": "ok"}
    return found | {f"{column}_outcome": next(outcome for outcome in asked if outcome != "ok")}


def majority(values: Sequence[float | None]) -> str | None:
    """chosen, rejected or tie by the judges' votes (above, below or at ½); a split vote is a tie."""
    votes = [value for value in values if value is not None]
    if not votes:
        return None
    balance = sum((value > 0.5) - (value < 0.5) for value in votes)
    return "chosen" if balance > 0 else "rejected" if balance < 0 else "tie"
