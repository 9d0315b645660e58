"""What several runs say together, as far as a card tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from ..core.store import Record

if TYPE_CHECKING:
    from ..core.view import RunView


@final
@dataclass(frozen=True)
class Joined:
    """A recipe and its funnel: of several runs, with the counts of equal stages summed."""

    recipe: str
    funnel: tuple[Record, ...]


def joined(views: Sequence[RunView]) -> Joined:
    """What the views say together; their recipes are alike."""
    summed: dict[str, Record] = {}
    for line in (line for view in views for line in view.funnel):
        before = summed.get(line.stage)
        summed[line.stage] = line if before is None else _sum(before, line)
    return Joined(views[0].recipe, tuple(summed.values()))


def _sum(left: Record, right: Record) -> Record:
    dropped = {
        reason: left.dropped.get(reason, 0) + right.dropped.get(reason, 0) for reason in left.dropped | right.dropped
    }
    return Record(
        left.stage, left.kind, left.shape, rows_in=left.rows_in + right.rows_in, made=left.made + right.made,
        rows_out=left.rows_out + right.rows_out, dropped=dropped, failed=left.failed + right.failed,
        skipped=left.skipped,
    )  # fmt: skip
