"""`score.caption_back`: a picture is told in words by one model, and another says how near they come to the prompt."""

from __future__ import annotations

from typing import Annotated, Any, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import PLACEHOLDERS, cosine, prompts_of, shown


@final
@register("score.caption_back")
class CaptionBack(Score):
    """Caption each image and take the cosine of the caption and the prompt by a sentence encoder.

    Independent of CLIP, so a good scorer to hold out where CLIP, PickScore or the like selected. It sees
    what the captioner mentions and nothing else. Null, with an outcome, without image, prompt or caption.
    """

    reads = ("prompt",)
    writes = (
        Column("{column}", "cosine of the image's caption and the prompt", pa.float64(), "cosine", -1, 1, "higher"),
        Column("{column}_caption", "the caption", pa.string()),
        Column("{column}_outcome", "ok, no image, unreadable, no prompt, no caption, or no words", pa.string()),
    )
    paper = "FOCUS, arXiv 2510.02315 (BLIP captions, MiniLM sentence cosine); the default encoder: house"

    captioner: Annotated[str, ModelOf("captioner")] = "blip_caption"
    """Tells images in words."""
    model: Annotated[str, ModelOf("text_encoder")] = "static"
    """The sentence encoder that compares words."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "caption_back"
    """Name of the score: columns begin with it, after the side."""
    placeholders: tuple[str, ...] = PLACEHOLDERS
    """Tokens taken out of the prompt before it is read."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)
        captions = found.look(lambda images: ctx.models[self.captioner].caption(images))
        prompts = prompts_of(batch, self.placeholders)
        both = [
            (caption, prompts[answer.row]) if caption and answer.row in prompts else None
            for answer, caption in zip(found.answers, captions, strict=True)
        ]
        texts = sorted({text for pair in both if pair for text in pair})
        vectors = dict(zip(texts, ctx.models[self.model].encode(texts), strict=True)) if texts else {}
        told: list[dict[str, Any]] = []
        for pair, caption, outcome in zip(both, captions, found.outcomes, strict=True):
            value = None
            if outcome == "ok":
                outcome = "no caption" if not caption else "no prompt" if pair is None else "ok"
            if pair is not None and not all(vectors[text].any() for text in pair):
                outcome = "no words"  # a sentence encoder gives zeros for them
            elif pair is not None:
                value = cosine(vectors[pair[0]], vectors[pair[1]])
            told.append({self.column: value, f"{self.column}_caption": caption, f"{self.column}_outcome": outcome})
        return laid_out(Score.columns_written(self), self.of, batch, found.answers, told)
