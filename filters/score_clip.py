"""`score.clip_t`, `score.clip_i` and `score.dino`: cosines of an image to its prompt and to reference images."""

from __future__ import annotations

from typing import Annotated, Any, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import PLACEHOLDERS, made_by, shown, to_prompts, to_references, told_of

OUTCOMES: Final = "ok, no image, unreadable, "
_PROMPT_OUTCOMES: Final = f"{OUTCOMES}no prompt, or prompt too long"
_REFERENCE_OUTCOMES: Final = f"{OUTCOMES}no reference, or reference unreadable"
_COSINE: Final = ("cosine", -1, 1, "higher")


@final
@register("score.clip_t")
class ClipT(Score):
    """Cosine of an image and its prompt (CLIP-T): how well it shows what was asked for.

    Null, with an outcome, where there is no image, no prompt, or one the encoder cannot read whole.
    """

    reads = ("prompt",)
    writes = (
        Column("{column}", "cosine of image and prompt", pa.float64(), *_COSINE),
        Column("{column}_outcome", _PROMPT_OUTCOMES, pa.string()),
    )
    paper = "CLIPScore, arXiv 2104.08718; CLIP-T of DreamBooth, arXiv 2208.12242"

    model: Annotated[str, ModelOf("image_text_encoder")] = "open_clip"
    """The encoder of images and texts."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "clip_t"
    """Name of the score: columns begin with it, after the side."""
    placeholders: tuple[str, ...] = PLACEHOLDERS
    """Tokens taken out of the prompt before it is read."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(made_by(Score.columns_written(self), self.model), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)
        vectors = found.look(lambda images: ctx.models[self.model].encode(images))
        measured = to_prompts(
            batch, found, vectors, lambda texts: ctx.models[self.model].encode_text(texts), self.placeholders
        )
        written = Score.columns_written(self)
        return laid_out(written, self.of, batch, found.answers, told_of(measured, self.column))


@final
@register("score.clip_i")
class ClipI(Score):
    """Mean cosine of an image to the row's reference images (CLIP-I): how well it keeps the subject.

    Null, with an outcome, where there is no image or a reference is missing or unreadable.
    """

    reads = ("images",)
    writes = (
        Column("{column}", "mean cosine to the reference images", pa.float64(), *_COSINE),
        Column("{column}_outcome", _REFERENCE_OUTCOMES, pa.string()),
    )
    paper = "CLIP-I of DreamBooth, arXiv 2208.12242; the image score of DreamBoothDPO, arXiv 2505.20975"

    model: Annotated[str, ModelOf("image_encoder")] = "open_clip"
    """The image encoder."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "clip_i"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(made_by(Score.columns_written(self), self.model), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        return _kept_subject(self, batch, ctx)


@final
@register("score.dino")
class Dino(Score):
    """Mean cosine of an image to the row's reference images by DINO, or by what stands in its role.

    DINO tells instances of a class apart where CLIP sees only the class. The default is the embedded
    EfficientNet in DINO's role: its numbers are not comparable with published DINO scores.
    """

    reads = ("images",)
    writes = (
        Column("{column}", "mean cosine to the reference images", pa.float64(), *_COSINE),
        Column("{column}_outcome", _REFERENCE_OUTCOMES, pa.string()),
    )
    paper = "DINO of DreamBooth, arXiv 2208.12242; the default encoder: house"

    model: Annotated[str, ModelOf("image_encoder")] = "efficientnet"
    """The image encoder; `use: dino` for DINO itself."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "dino"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        role = " in DINO's role" if self.model == "efficientnet" else ""
        return columns_of(made_by(Score.columns_written(self), f"{self.model}{role}"), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        return _kept_subject(self, batch, ctx)


def _kept_subject(stage: ClipI | Dino, batch: pa.Table, ctx: Context) -> Columns:
    found = shown(batch, stage.of, stage.most)

    def encode(images: list[bytes]) -> Any:
        return ctx.models[stage.model].encode(images)

    measured = to_references(batch, found, found.look(encode), encode)
    written = Score.columns_written(stage)
    return laid_out(written, stage.of, batch, found.answers, told_of(measured, stage.column))
