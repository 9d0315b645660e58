"""`score.lambda_harmonic`: likeness to the subject and fidelity to the prompt as one reward."""

from __future__ import annotations

from typing import Annotated, Any, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.harmonic import lambda_harmonic, to_unit
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import PLACEHOLDERS, Measured, made_by, shown, to_prompts, to_references


@final
@register("score.lambda_harmonic")
class LambdaHarmonic(Score):
    """λ-harmonic mean of the mean cosine to the reference images and the cosine to the prompt.

    r = 1 / (λ/s_image + (1-λ)/s_text), with cosines mapped to [0, 1]; λ = 1 is the subject alone. An
    answer that lacks either has no reward, with an outcome. The paper's encoder is ALIGN.
    """

    reads = ("prompt", "images")
    writes = (
        Column("{column}", "λ-harmonic mean", pa.float64(), "share of 1", 0, 1, "higher"),
        Column("{column}_image", "s_image, likeness to the references", pa.float64(), "share of 1", -1, 1, "higher"),
        Column("{column}_text", "s_text, fidelity to the prompt", pa.float64(), "share of 1", -1, 1, "higher"),
        Column("{column}_outcome", "ok, or what is missing, unreadable, too long or not positive", pa.string()),
    )
    paper = "Subject-driven generation by preference (RPO), arXiv 2407.12164"

    model: Annotated[str, ModelOf("image_text_encoder")] = "align"
    """The encoder of images and texts."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    weight: Annotated[float, Field(ge=0, le=1)] = 0.3
    """λ, the weight of the subject. The published labels for training use 0, validation 0.3 to 0.7."""
    mapped: bool = True
    """Map cosines to (cos + 1)/2 first; without it a cosine that is not positive has no reward."""
    column: str = "lambda_harmonic"
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

        def encode(images: list[bytes]) -> Any:
            return ctx.models[self.model].encode(images)

        vectors = found.look(encode)
        image = to_references(batch, found, vectors, encode)
        text = to_prompts(
            batch, found, vectors, lambda texts: ctx.models[self.model].encode_text(texts), self.placeholders
        )
        told = [self._told(*both) for both in zip(image, text, strict=True)]
        return laid_out(Score.columns_written(self), self.of, batch, found.answers, told)

    def _told(self, image: Measured, text: Measured) -> dict[str, Any]:
        s_image, s_text = self._share(image), self._share(text)
        told: dict[str, Any] = {f"{self.column}_image": s_image, f"{self.column}_text": s_text}
        outcome = image.outcome if image.outcome != "ok" else text.outcome
        if s_image is not None and s_text is not None:
            if min(s_image, s_text) > 0 or self.mapped:
                told[self.column] = float(lambda_harmonic(s_image, s_text, self.weight))
            else:
                outcome = "not positive"
        return told | {f"{self.column}_outcome": outcome}

    def _share(self, measured: Measured) -> float | None:
        if measured.value is None or not self.mapped:
            return measured.value
        return float(to_unit(measured.value))
