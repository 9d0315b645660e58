"""From scored candidates to pairs: what the pair builders share. Text or image makes no difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

import pyarrow as pa

from ..core.declared import Column
from ..core.errors import RowError
from ..core.stage import Drop, Row

Better = Literal["higher", "lower"]
Ties = Literal["drop", "keep"]

WRITES: Final = (
    "chosen",
    "rejected",
    Column("chosen_{score}", "score of the chosen answer", pa.float64()),
    Column("rejected_{score}", "score of the rejected answer", pa.float64()),
    Column("chosen_{also}", "score of the chosen answer", pa.float64()),
    Column("rejected_{also}", "score of the rejected answer", pa.float64()),
    Column("margin", "lead of the chosen answer", pa.float64(), "of the score", 0.0, None, "higher: chosen better"),
    Column("verdict", "prefer, or tie when the scores are equal", pa.string()),
)


@final
@dataclass(frozen=True)
class Scored:
    """A candidate that has a score: its place among the row's candidates, and merit (higher = better)."""

    place: int
    merit: float


@final
@dataclass(frozen=True)
class Pair:
    """Two candidates, better first; `gap` ≥ 0 is the difference of their merits."""

    first: Scored
    second: Scored

    @property
    def gap(self) -> float:
        """Lead of the first, in the unit of the score."""
        return self.first.merit - self.second.merit


def scored(row: Row, score: str, better: Better) -> list[Scored]:
    """The row's candidates that have a score, best first; equal merit in the order they stand.

    Raises RowError when there is not one score a candidate.
    """
    candidates, scores = row.get("candidates") or [], row.get(score) or []
    if len(candidates) != len(scores):
        raise RowError(f"{len(candidates)} candidates have {len(scores)} values of {score}")
    sign = 1.0 if better == "higher" else -1.0
    merits = [
        Scored(place, sign * float(value))
        for place, (candidate, value) in enumerate(zip(candidates, scores, strict=True))
        if candidate is not None and value is not None and not math.isnan(value)
    ]
    return sorted(merits, key=lambda item: -item.merit)


def too_few(merits: Sequence[Scored]) -> Drop | None:
    """Why a row cannot give a pair at all, or None."""
    if len(merits) >= 2:
        return None
    return Drop("fewer than two scored candidates", {"scored": len(merits)})


def admitted(pairs: Sequence[Pair], least_gap: float, ties: Ties) -> list[Pair]:
    """The pairs wide enough; those of equal scores only where ties are kept, whatever the gap asked."""
    return [pair for pair in pairs if (pair.gap >= least_gap if pair.gap > 0 else ties == "keep")]


def none_admitted(pairs: Sequence[Pair]) -> Drop:
    """Why none of these pairs was admitted: all ties, or all too narrow."""
    widest = max(pair.gap for pair in pairs)
    return Drop("tie" if widest == 0 else "gap below least", {"gap": widest})


def pair_rows(row: Row, pairs: Sequence[Pair], score: str, also: Sequence[str]) -> list[Row]:
    """One row a pair: the columns of `WRITES`, and null for the candidates and their scores."""
    names = (score, *also)
    return [dict.fromkeys(("candidates", *names)) | _sides(row, pair, names) for pair in pairs]


def _sides(row: Row, pair: Pair, names: Sequence[str]) -> Row:
    sides: Row = {}
    for side, item in (("chosen", pair.first), ("rejected", pair.second)):
        sides[side] = row["candidates"][item.place]
        for name in names:
            values = row.get(name)
            sides[f"{side}_{name}"] = values[item.place] if values else None
    return sides | {"margin": pair.gap, "verdict": "prefer" if pair.gap > 0 else "tie"}
