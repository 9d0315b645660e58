"""`score.cls_patch`, `score.patch_match` and `score.two_path`: a subject kept as a whole and in its details."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.patches import best_match, mutual_match
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import cosine, likened, made_by, seen_references, shown

_ROWS: Final = {"pair": 16, "chosen": 16, "candidates": 4}  # held at once: an image's patches take a megabyte
_OUTCOMES: Final = "ok, no image, unreadable, no reference, or reference unreadable"


@final
@dataclass(frozen=True)
class Seen:
    """One image: the vector of its class token and those of its patches, all of length 1."""

    whole: np.ndarray
    patches: np.ndarray


@final
@register("score.cls_patch")
class ClsPatch(Score):
    """Class-token cosine and best-matching patches together: w·cos + (1-w)·mean over the reference's patches.

    Averaged over the row's reference images. How the two are weighed is a default of ours.
    """

    reads = ("images",)
    writes = (
        Column("{column}", "class token and patches, weighed", pa.float64(), "cosine", -1, 1, "higher"),
        Column("{column}_outcome", _OUTCOMES, pa.string()),
    )
    paper = "MM-Diff (class and patch features of one encoder); the measure: house"

    model: Annotated[str, ModelOf("patch_encoder")] = "dino"
    """The encoder with patches."""
    weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    """w, the weight of the class token."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "cls_patch"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(made_by(Score.columns_written(self), self.model), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        def like(reference: Seen, image: Seen) -> float:
            parts = best_match(reference.patches, image.patches)
            return self.weight * cosine(reference.whole, image.whole) + (1 - self.weight) * parts

        return _in_parts(self, batch, ctx, {self.column: like})


@final
@register("score.patch_match")
class PatchMatch(Score):
    """Share of the reference's patches that have a mutual nearest neighbour in the image, times their mean cosine.

    Averaged over the row's reference images; 0 when nothing of them is found again.
    """

    reads = ("images",)
    writes = (
        Column("{column}", "patches found again", pa.float64(), "share × cosine", 0, 1, "higher"),
        Column("{column}_outcome", _OUTCOMES, pa.string()),
    )
    paper = "FreeGraftor (patch correspondences); the measure: house"

    model: Annotated[str, ModelOf("patch_encoder")] = "dino"
    """The encoder with patches."""
    least: Annotated[float, Field(ge=0, lt=1)] = 0.6
    """Cosine above which two patches match; a default of ours."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "patch_match"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(made_by(Score.columns_written(self), self.model), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        return _in_parts(self, batch, ctx, {self.column: _match(self.least)})


@final
@register("score.two_path")
class TwoPath(Score):
    """Identity and detail apart: class-token cosine, and patches found again. The two are never summed.

    Both are means over the row's reference images.
    """

    reads = ("images",)
    writes = (
        Column("{column}_sem", "class-token cosine: identity", pa.float64(), "cosine", -1, 1, "higher"),
        Column("{column}_detail", "patches found again: detail", pa.float64(), "share × cosine", 0, 1, "higher"),
        Column("{column}_outcome", _OUTCOMES, pa.string()),
    )
    paper = "EchoGen (two paths); the measures: house"

    model: Annotated[str, ModelOf("patch_encoder")] = "dino"
    """The encoder with patches."""
    least: Annotated[float, Field(ge=0, lt=1)] = 0.6
    """Cosine above which two patches match; a default of ours."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "subject"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(made_by(Score.columns_written(self), self.model), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        likes = {f"{self.column}_sem": _identity, f"{self.column}_detail": _match(self.least)}
        return _in_parts(self, batch, ctx, likes)


Like = Callable[[Seen, Seen], float]


def _identity(reference: Seen, image: Seen) -> float:
    return cosine(reference.whole, image.whole)


def _match(least: float) -> Like:
    return lambda reference, image: mutual_match(reference.patches, image.patches, least)


def _in_parts(stage: ClsPatch | PatchMatch | TwoPath, batch: pa.Table, ctx: Context, likes: dict[str, Like]) -> Columns:
    """Each measure of each answer, a few rows at a time."""

    def see(images: list[bytes]) -> list[Seen]:
        return [Seen(*both) for both in ctx.models[stage.model].in_parts(images)]

    written = Score.columns_written(stage)
    parts: list[Columns] = []
    rows = _ROWS[stage.of]
    for start in range(0, max(batch.num_rows, 1), rows):
        part = batch.slice(start, rows)
        found = shown(part, stage.of, stage.most)
        seen = found.look(see)
        beside = seen_references(part, found, seen, see)
        measured = {name: likened(found, seen, beside, like) for name, like in likes.items()}
        outcomes = {f"{stage.column}_outcome": [one.outcome for one in next(iter(measured.values()))]}
        values = {name: [one.value for one in each] for name, each in measured.items()} | outcomes
        told = [{name: listed[k] for name, listed in values.items()} for k in range(len(found.answers))]
        parts.append(laid_out(written, stage.of, part, found.answers, told))
    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}
