"""`score.psr`: each subject's region against the same subject in its reference picture."""

from __future__ import annotations

from typing import Annotated, Any, Literal, final

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
@register("score.psr")
class Psr(Score):
    """Mean cosine of each subject cut out of the picture and out of its reference (pairwise subject consistency).

    Subjects of one name take its surest regions in turn. A subject that is not found counts 0, or as in
    the published evaluation the whole picture, which rewards leaving subjects out. A reference in which
    its subject is not found is compared whole.
    """

    reads = ("{subjects}", "images")
    writes = (
        Column("{column}", "mean cosine of subjects to references", pa.float64(), "cosine", -1, 1, "higher"),
        Column(
            "{column}_per_subject", "cosine of each subject; null = not found", pa.list_(pa.float64()), "cosine",
            -1, 1, "higher",
        ),
        Column("{column}_missing", "subjects that were not found", pa.list_(pa.string())),
        Column("{column}_outcome", OUTCOMES, pa.string()),
    )  # fmt: skip
    paper = "PSR, arXiv 2512.01236 (there a missing subject is the whole picture; 0 here: house)"

    detector: Annotated[str, ModelOf("detector")] = "zero_shot_detector"
    """Finds the subjects by their names."""
    model: Annotated[str, ModelOf("image_encoder")] = "efficientnet"
    """The encoder that compares; the paper's is DINO ViT-S/16 (`use: dino`)."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    subjects: str = "subjects"
    """Column of a list of names, one a reference image, in their order."""
    missing: Literal["zero", "whole"] = "zero"
    """What a subject that is not found counts as; whole: compare with published numbers."""
    crop_references: bool = True
    """Cut references to their subject too."""
    most_overlap: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Of regions of one name that overlap more than this (intersection over union) only the surest stays."""
    column: str = "psr"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)
        questions = questions_of(batch, found, self.subjects, referenced=True)
        eyes = Eyes(
            ctx.models[self.detector], ctx.models[self.model], self.most_overlap, True, self.missing == "whole",
            self.crop_references,
        )  # fmt: skip
        seen = eyes.look(batch, found, questions)
        told = told_of_regions(seen, found.outcomes, self._told, self.column)
        return laid_out(Score.columns_written(self), self.of, batch, found.answers, told)

    def _told(self, regions: Regions) -> dict[str, Any]:
        names = regions.question.names
        taken = by_category(names, [one.phrase for one in regions.found])
        likes = [float(regions.likeness[i, k]) if k != NONE else None for i, k in enumerate(taken)]
        stand_in = [float(value) for value in regions.whole] if self.missing == "whole" else [0.0] * len(names)
        counted = [instead if like is None else like for like, instead in zip(likes, stand_in, strict=True)]
        return {
            self.column: sum(counted) / len(counted),
            f"{self.column}_per_subject": likes,
            f"{self.column}_missing": [name for name, k in zip(names, taken, strict=True) if k == NONE],
        }
