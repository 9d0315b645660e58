"""`score.grounding`: are all subjects there, and is each one itself?"""

from __future__ import annotations

from typing import Annotated, Any, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import shown
from .matching import NONE, by_category
from .score_multi_subject import OUTCOMES
from .subjects import Eyes, Regions, questions_of, told_of_regions


@final
@register("score.grounding")
class Grounding(Score):
    """Mean over subjects of how well each one found resembles its reference, 0 for one that is missing.

    GS = (1/N) Σ [found]·max(0, cos); `by: confidence` needs no references and means over the detector's
    own sureness. `_mixing` is the share of subjects found that resemble another's reference more than
    their own: attributes that changed owners. It is null for fewer than two subjects.
    """

    reads = ("{subjects}",)
    writes = (
        Column("{column}", "mean over subjects, 0 for a missing one", pa.float64(), "share of 1", 0, 1, "higher"),
        Column(
            "{column}_per_subject", "likeness or sureness of each subject; null = missing", pa.list_(pa.float64()),
            "share of 1", -1, 1, "higher",
        ),
        Column("{column}_missing", "subjects that were not found", pa.list_(pa.string())),
        Column("{column}_mixing", "subjects found more like another", pa.float64(), "share of 1", 0, 1, "lower"),
        Column("{column}_outcome", OUTCOMES, pa.string()),
    )  # fmt: skip
    paper = "after GroundingScore, arXiv 2405.06948, whose definition is not published: the formula is house"

    detector: Annotated[str, ModelOf("detector")] = "zero_shot_detector"
    """Finds the subjects by their names."""
    model: Annotated[str | None, ModelOf("image_encoder")] = "efficientnet"
    """The encoder that compares; null with `by: confidence`."""
    by: Literal["likeness", "confidence"] = "likeness"
    """Whether a subject counts by its likeness to its reference image, or by how sure the detector is of it."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    subjects: str = "subjects"
    """Column of a list of names; with likeness one a reference image, in their order."""
    most_overlap: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Of regions of one name that overlap more than this (intersection over union) only the surest stays."""
    column: str = "grounding"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> list[str]:
        return ["by: likeness needs a model that compares"] if self.by == "likeness" and not self.model else []

    def columns_read(self) -> tuple[str, ...]:
        images = ("images",) if self.by == "likeness" else ()
        return (*Score.columns_read(self), *images, *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def models_named(self) -> tuple[str, ...]:
        return (self.detector, self.model) if self.by == "likeness" and self.model else (self.detector,)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)
        like = self.by == "likeness"
        questions = questions_of(batch, found, self.subjects, referenced=like)
        encoder = ctx.models[self.model] if like and self.model else None
        seen = Eyes(ctx.models[self.detector], encoder, self.most_overlap, True).look(batch, found, questions)
        told = told_of_regions(seen, found.outcomes, self._told, self.column)
        return laid_out(Score.columns_written(self), self.of, batch, found.answers, told)

    def _told(self, regions: Regions) -> dict[str, Any]:
        names = regions.question.names
        taken = by_category(names, [one.phrase for one in regions.found])
        each = [self._one(regions, i, int(k)) if k != NONE else None for i, k in enumerate(taken)]
        return {
            self.column: sum(max(0.0, one or 0.0) for one in each) / len(each),
            f"{self.column}_per_subject": each,
            f"{self.column}_missing": [name for name, k in zip(names, taken, strict=True) if k == NONE],
            f"{self.column}_mixing": mixing(regions.likeness, taken) if self.by == "likeness" else None,
        }

    def _one(self, regions: Regions, subject: int, region: int) -> float:
        if self.by == "likeness":
            return float(regions.likeness[subject, region])
        return regions.found[region].score


def mixing(likeness: np.ndarray, taken: np.ndarray) -> float | None:
    """Share of subjects found whose region is more like another's reference, of likeness [n, m]; None for n < 2."""
    there = np.flatnonzero(taken != NONE)
    if len(taken) < 2 or not len(there):
        return None
    beside = likeness[:, taken[there]]
    return float((beside.max(axis=0) > beside[there, np.arange(len(there))]).mean())
