"""`score.multi_subject`: every subject a picture should show, found, matched one to one and compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import shown
from .matching import NONE, Matching, Reduce, matched, reduced
from .subjects import Eyes, Regions, questions_of, told_of_regions

OUTCOMES: Final = "ok, or which of image, subjects, references or boxes is missing or unreadable"


@final
@register("score.multi_subject")
class MultiSubject(Score):
    """Likeness of each subject to its reference, each subject taking one region of the picture of its own.

    Regions are found by the subjects' names, or given as boxes. A subject that takes none counts 0 in
    the score and is null in `_per_subject`; `_assignment` numbers regions from the surest. More regions
    than subjects cost nothing but are counted: a subject shown twice is a known failure.
    """

    reads = ("{subjects}", "{boxes}", "images")
    writes = (
        Column("{column}", "likeness of all subjects", pa.float64(), "cosine", -1, 1, "higher"),
        Column(
            "{column}_per_subject", "cosine of each subject to its reference; null = not shown",
            pa.list_(pa.float64()), "cosine", -1, 1, "higher",
        ),
        Column("{column}_assignment", "the region each subject takes, the surest 0; null = none", pa.list_(pa.int32())),
        Column("{column}_detected", "regions found or given", pa.int32(), "regions", 0, None, "neither"),
        Column("{column}_extra", "regions that no subject takes", pa.int32(), "regions", 0, None, "lower"),
        Column("{column}_outcome", OUTCOMES, pa.string()),
    )  # fmt: skip
    paper = "MultiCrafter, arXiv 2509.21953 (one-to-one); MS-Diffusion, arXiv 2406.07209 (given boxes); defaults: house"

    detector: Annotated[str | None, ModelOf("detector")] = "zero_shot_detector"
    """Finds the subjects by their names; null when `boxes` says where they are."""
    model: Annotated[str, ModelOf("image_encoder")] = "efficientnet"
    """The encoder that compares a region and a reference; `use: dino` for DINO."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    subjects: str = "subjects"
    """Column of a list of names, one a reference image, in their order."""
    boxes: str = ""
    """Column of a list of boxes, one a subject: left, top, right, bottom as shares; a null box = not shown."""
    match: Matching = "hungarian"
    """hungarian: the best sum; greedy: the best first; category: the surest region of each name."""
    reduce: Reduce = "mean"
    """How the subjects become one number; in a product negative cosines count as 0."""
    most_overlap: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Of regions that overlap more than this (intersection over union) only the surest stays."""
    column: str = "multi_subject"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        both = self.detector is None, not self.boxes
        return ["give a detector, or boxes: one of the two says where subjects are"] if both[0] == both[1] else []

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)
        questions = questions_of(batch, found, self.subjects, referenced=True, boxes=self.boxes)
        detector = ctx.models[self.detector] if self.detector else None
        eyes = Eyes(detector, ctx.models[self.model], self.most_overlap, self.match == "category")
        seen = eyes.look(batch, found, questions)
        told = told_of_regions(seen, found.outcomes, self._told, self.column)
        return laid_out(Score.columns_written(self), self.of, batch, found.answers, told)

    def _told(self, regions: Regions) -> dict[str, Any]:
        taken = self._taken(regions)
        likes = [float(regions.likeness[i, k]) if k != NONE else None for i, k in enumerate(taken)]
        return {
            self.column: reduced(np.array([like or 0.0 for like in likes]), self.reduce),
            f"{self.column}_per_subject": likes,
            f"{self.column}_assignment": [int(k) if k != NONE else None for k in taken],
            f"{self.column}_detected": len(regions.found),
            f"{self.column}_extra": len(regions.found) - int((taken != NONE).sum()),
        }

    def _taken(self, regions: Regions) -> np.ndarray:
        boxes = regions.question.boxes
        if boxes is not None:
            there = np.array([box is not None for box in boxes])
            return np.where(there, np.cumsum(there) - 1, NONE)
        labels = [one.phrase for one in regions.found]
        return matched(self.match, regions.likeness, regions.question.names, labels)
