"""`pair.angle`: pairs whose chosen side is better on two scores at once, in a window of directions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations
from typing import Annotated, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from .pairing import Pair, Scored, pair_rows, scored


@final
@register("pair.angle")
class PairAngle(Map):
    """Pair candidates where the step from rejected to chosen points into a window between two scores.

    θ = atan2(Δ image, Δ text) in degrees: 0 is pure gain in text fidelity, 90 pure gain in image
    fidelity, and in between both improve. Both scores should be in one unit, standard deviations of the
    pool (`score.pool_z`), since raw ones differ in spread. The axes and the default window are ours: the
    paper keeps a window in the first quadrant. Pairs come longest first.
    """

    reads = ("candidates", "{text}", "{image}", "{also}")
    writes = (
        "chosen",
        "rejected",
        Column("chosen_{text}", "score of the chosen answer", pa.float64()),
        Column("rejected_{text}", "score of the rejected answer", pa.float64()),
        Column("chosen_{image}", "score of the chosen answer", pa.float64()),
        Column("rejected_{image}", "score of the rejected answer", pa.float64()),
        Column("chosen_{also}", "score of the chosen answer", pa.float64()),
        Column("rejected_{also}", "score of the rejected answer", pa.float64()),
        Column(
            "angle", "direction of the gain, 0 text alone, 90 image alone", pa.float64(), "degrees", 0, 90, "neither"
        ),
        Column("margin", "length of the gain in both scores", pa.float64(), "of the scores", 0, None, "higher"),
        Column("verdict", "always prefer", pa.string()),
    )
    paper = "DreamBoothDPO, arXiv 2505.20975 (the window); axes, scaling and cap: house"

    text: str = "clip_t_z"
    """Column with one number a candidate: fidelity to the prompt, higher = better."""
    image: str = "clip_i_z"
    """Column with one number a candidate: fidelity to the subject, higher = better."""
    low: Annotated[float, Field(ge=0, le=90)] = 20.0
    """Smallest angle kept, in degrees; small angles favour text."""
    high: Annotated[float, Field(ge=0, le=90)] = 70.0
    """Largest angle kept, in degrees."""
    least_norm: Annotated[float, Field(ge=0)] = 0.5
    """Shortest gain kept, in the unit of the scores: shorter ones are noise."""
    most: Annotated[int | None, Field(ge=1)] = 4
    """Most pairs a row, lest one prompt flood the set; null = all."""
    pick: Literal["longest", "sample"] = "longest"
    """Which pairs stay when there are more than `most`."""
    also: tuple[str, ...] = ()
    """Other columns with one number a candidate, kept as chosen_<name> and rejected_<name>."""

    def faults(self) -> Sequence[str]:
        found = [f"low ({self.low}) is above high ({self.high})"] if self.low > self.high else []
        return found + (["text and image are one column: a direction needs two"] if self.text == self.image else [])

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        text, image = (
            {one.place: one.merit for one in scored(row, name, "higher")} for name in (self.text, self.image)
        )
        places = sorted(text.keys() & image.keys())
        if len(places) < 2:
            return Drop("fewer than two scored candidates", {"scored": len(places)})
        steps = [(a, b, text[a] - text[b], image[a] - image[b]) for a, b in permutations(places, 2)]
        window = [step for step in steps if self._inside(step[2], step[3])]
        if not window:
            return Drop("no pair in the window", {"candidates": len(places)})
        long = [step for step in window if math.hypot(step[2], step[3]) >= self.least_norm]
        if not long:
            return Drop("pairs in the window are too short", {"longest": max(math.hypot(s[2], s[3]) for s in window)})
        if self.most is not None and self.pick == "sample" and len(long) > self.most:
            long = ctx.rng(row["id"]).sample(long, self.most)
        long.sort(key=lambda step: (-math.hypot(step[2], step[3]), step[0], step[1]))
        return self._rows(row, long[: self.most])

    def _inside(self, text: float, image: float) -> bool:
        """Whether a gain points into the window; a step of no length points nowhere."""
        return (text, image) != (0, 0) and self.low <= math.degrees(math.atan2(image, text)) <= self.high

    def _rows(self, row: Row, steps: Sequence[tuple[int, int, float, float]]) -> list[Row]:
        pairs = [Pair(Scored(a, math.hypot(dt, di)), Scored(b, 0.0)) for a, b, dt, di in steps]
        rows = pair_rows(row, pairs, self.text, (self.image, *self.also))
        angles = [{"angle": math.degrees(math.atan2(di, dt))} for _, _, dt, di in steps]
        return [one | told for one, told in zip(rows, angles, strict=True)]
