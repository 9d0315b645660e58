"""`score.preference` and `score.aesthetic`: what models trained on people's choices make of an image."""

from __future__ import annotations

from typing import Annotated, Final, final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.logit import sigmoid
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import PLACEHOLDERS, made_by, matched, prompts_of, shown, told_of

_CHANCE: Final = "{column}_p_chosen"


@final
@register("score.preference")
class Preference(Score):
    """The score of a model trained on people's choices between images: PickScore, HPS and their family.

    Comparable within a prompt. For a pair also the probability that people prefer the chosen side, the
    softmax of both scores. Null, with an outcome, where image or prompt is missing or cannot be read.
    """

    reads = ("prompt",)
    writes = (
        Column("{column}", "score of the image for its prompt", pa.float64(), "the model's own", None, None, "higher"),
        Column("{column}_outcome", "ok, no image, unreadable, no prompt, or prompt too long", pa.string()),
        Column(_CHANCE, "chance that chosen is preferred", pa.float64(), "probability", 0, 1, "higher"),
    )
    paper = "PickScore, arXiv 2305.01569; HPS v2, arXiv 2306.09341"

    model: Annotated[str, ModelOf("image_reward")] = "pickscore"
    """The reward model."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "preference"
    """Name of the score: columns begin with it, after the side."""
    placeholders: tuple[str, ...] = PLACEHOLDERS
    """Tokens taken out of the prompt before it is read."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        score, outcome, chance = made_by(Score.columns_written(self), self.model)
        return (*columns_of((score, outcome), self.of), *((chance,) if self.of == "pair" else ()))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)
        prompts = prompts_of(batch, self.placeholders)
        measured = matched(found, prompts, lambda texts, images: ctx.models[self.model].score(texts, images))
        written = Score.columns_written(self)[:2]
        columns = dict(laid_out(written, self.of, batch, found.answers, told_of(measured, self.column)))
        if self.of == "pair":
            gap = pc.subtract(columns[f"chosen_{self.column}"], columns[f"rejected_{self.column}"])
            chance = sigmoid(pc.fill_null(gap, 0.0).to_numpy(zero_copy_only=False))
            columns[_CHANCE.format(column=self.column)] = pc.if_else(gap.is_valid(), pa.array(chance), pa.scalar(None))
        return columns


@final
@register("score.aesthetic")
class Aesthetic(Score):
    """How pleasing an image is, whatever was asked for: a small head on CLIP vectors, trained on ratings.

    Null, with an outcome, where there is no image or it cannot be read.
    """

    reads = ()
    writes = (
        Column("{column}", "aesthetic score of the image", pa.float64(), "the head's own", None, None, "higher"),
        Column("{column}_outcome", "ok, no image, or unreadable", pa.string()),
    )
    paper = "LAION aesthetic predictor; Schuhmann et al., arXiv 2210.08402"

    model: Annotated[str, ModelOf("image_rating")] = "aesthetic"
    """The predictor."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "aesthetic"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return sides(self.of)

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(made_by(Score.columns_written(self), self.model), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)
        unprompted = {answer.row: "" for answer in found.answers}
        measured = matched(found, unprompted, lambda texts, images: ctx.models[self.model].score(texts, images))
        told = told_of(measured, self.column)
        return laid_out(Score.columns_written(self), self.of, batch, found.answers, told)
