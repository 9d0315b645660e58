"""`pair.bt_label`: which side is chosen is drawn, with the chance that two rewards give it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from .pairing import scored

Side = tuple[Any, float]


@final
@register("pair.bt_label")
class PairBtLabel(Map):
    """Pair candidates and draw the preferred one: y ~ Bernoulli(σ((r_a - r_b) / temperature)).

    `p_chosen` is the chance that the side now chosen had, below ½ where the draw went against the
    rewards (`margin` is then negative). Each pair has a draw of its own, the same in every run. Rewards
    in [0, 1] differ by about 0.1, so that at temperature 1 labels are nearly coin flips: lower it to
    trust the rewards more. The paper draws anew at each access; a trainer can, from `p_chosen`.
    """

    reads = ("candidates", "{score}")
    writes = (
        "chosen",
        "rejected",
        Column("chosen_{score}", "reward of the chosen answer", pa.float64()),
        Column("rejected_{score}", "reward of the rejected answer", pa.float64()),
        Column("margin", "reward of the chosen minus that of the rejected", pa.float64(), "of the score"),
        Column("p_chosen", "chance that the chosen side had", pa.float64(), "probability", 0, 1, "higher"),
        Column("verdict", "always prefer", pa.string()),
    )
    paper = (
        "Subject-driven generation by preference (RPO), arXiv 2407.12164 (temperature 1); temperature, storing: house"
    )

    score: str
    """Column with one reward a candidate, higher = better; with `against: chosen` also chosen_<score>."""
    against: Literal["candidates", "chosen"] = "candidates"
    """Pair candidates with each other, or each with the row's own chosen answer (a reference picture)."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """What differences of rewards are divided by, in the unit of the reward."""
    most: Annotated[int | None, Field(ge=1)] = None
    """Most pairs a row, drawn at random; null = all."""

    def columns_read(self) -> tuple[str, ...]:
        own = ("chosen", f"chosen_{self.score}") if self.against == "chosen" else ()
        return (*Map.columns_read(self), *own)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        merits = sorted(scored(row, self.score, "higher"), key=lambda one: one.place)
        sides: list[Side] = [(row["candidates"][one.place], one.merit) for one in merits]
        if self.against == "chosen":
            own, reward = row["chosen"], row[f"chosen_{self.score}"]
            if own is None or reward is None or math.isnan(reward):
                return Drop("the chosen answer has no reward")
            pairs = [((own, reward), side) for side in sides]
        else:
            pairs = list(combinations(sides, 2))
        if not pairs:
            return Drop("fewer than two scored candidates", {"scored": len(sides)})
        if self.most is not None and len(pairs) > self.most:
            kept = sorted(ctx.rng(row["id"]).sample(range(len(pairs)), self.most))
        else:
            kept = list(range(len(pairs)))
        return [self._drawn(*pairs[k], ctx.rng(f"{row['id']} {k}").random()) for k in kept]

    def _drawn(self, first: Side, second: Side, draw: float) -> Row:
        p = bt_probability(first[1] - second[1], self.temperature)
        if draw >= p:
            first, second, p = second, first, bt_probability(second[1] - first[1], self.temperature)
        return {
            "candidates": None, self.score: None, "chosen": first[0], "rejected": second[0],
            f"chosen_{self.score}": first[1], f"rejected_{self.score}": second[1],
            "margin": first[1] - second[1], "p_chosen": p, "verdict": "prefer",
        }  # fmt: skip


def bt_probability(lead: float, temperature: float = 1.0) -> float:
    """σ(lead / temperature): the chance that the first is preferred (Bradley-Terry), in [0, 1]."""
    return 0.5 * (1 + math.tanh(lead / temperature / 2))
