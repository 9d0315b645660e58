"""Whether an image still shows what it should: `score.class_membership` measures, `filter.class_membership` decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.errors import InputError
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Columns, Context, Gate, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import cosine, shown
from .reasons import first_reasons, floats

CLASSES: Final = (
    "backpack", "stuffed animal", "bowl", "can", "candle", "cat", "clock", "sneaker", "dog", "toy", "boot", "glasses",
    "cartoon", "teapot", "vase",
)  # fmt: skip
"""The classes of DreamBench."""
_PAPER: Final = "FaceChain-SuDe, arXiv 2403.06775 (an image must stay in its category); rank among classes: house"


@final
@register("score.class_membership")
class ClassMembership(Score):
    """Cosine of an image to "a photo of a {class}", and its class's rank among others by that cosine.

    Null, with an outcome, where there is no image, no class, or an image that cannot be read.
    """

    reads = ("{class_column}",)
    writes = (
        Column("{column}", "cosine of the image to its class", pa.float64(), "cosine", -1, 1, "higher"),
        Column("{column}_rank", "rank of the class, 1 = the nearest", pa.int32(), "rank", 1, None, "lower"),
        Column("{column}_outcome", "ok, no image, unreadable, no class, or class too long", pa.string()),
    )
    paper = _PAPER

    model: Annotated[str, ModelOf("image_text_encoder")] = "open_clip"
    """The encoder of images and texts."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    class_column: str = "class_name"
    """Column of class names."""
    others: Annotated[tuple[str, ...], Field(min_length=1)] = CLASSES
    """Classes the row's own must be told from; the same for every row, its own left out."""
    template: str = "a photo of a {}"
    """What a class is read as."""
    column: str = "class"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        return [] if self.template.count("{}") == 1 else ["template must hold {} once, where the class stands"]

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        score, *rest = Score.columns_written(self)
        return columns_of((replace(score, doc=f"{score.doc}, by {self.model}"), *rest), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        encoder = ctx.models[self.model]
        own = flat(batch[self.class_column]).to_pylist()
        names = sorted({*self.others, *(name for name in own if name)})
        read = encoder.encode_text([self.template.replace("{}", name) for name in names])
        vectors = dict(zip(names, read, strict=True))
        unread = [name for name in self.others if np.isnan(vectors[name]).any()]
        if unread:
            raise InputError(f"others: {self.model} cannot read {unread[0]!r} whole", hint="give a shorter name")
        found = shown(batch, self.of, self.most)
        seen = found.look(lambda images: list(encoder.encode(images)))
        told = [
            self._placed(vector, own[answer.row], vectors) if vector is not None else self._untold(outcome)
            for answer, vector, outcome in zip(found.answers, seen, found.outcomes, strict=True)
        ]
        return laid_out(Score.columns_written(self), self.of, batch, found.answers, told)

    def _placed(self, vector: np.ndarray, name: str | None, vectors: Mapping[str, np.ndarray]) -> dict[str, Any]:
        if not name:
            return self._untold("no class")
        if np.isnan(vectors[name]).any():
            return self._untold("class too long")
        likeness = cosine(vector, vectors[name])
        nearer = sum(cosine(vector, vectors[other]) > likeness for other in set(self.others) - {name})
        return {self.column: likeness, f"{self.column}_rank": 1 + nearer, f"{self.column}_outcome": "ok"}

    def _untold(self, outcome: str) -> dict[str, Any]:
        return {f"{self.column}_outcome": outcome}


@final
@register("filter.class_membership")
class ClassMembershipFilter(Gate):
    """Drop rows whose image is not of its class any more: too unlike its name, or nearer to another class."""

    reads = ("{side}_{column}", "{side}_{column}_rank")
    paper = _PAPER

    side: Literal["chosen", "rejected"] = "chosen"
    """The side whose image must be of its class."""
    column: str = "class"
    """Name of the score that `score.class_membership` wrote."""
    least: Annotated[float, Field(ge=-1, le=1)] | None = None
    """Smallest cosine to the class kept; null = no limit. What is usual depends on the encoder."""
    most_rank: Annotated[int, Field(ge=1)] | None = 1
    """Largest rank kept: 1 = no other class may be nearer; null = no limit."""

    def faults(self) -> Sequence[str]:
        return ["nothing to decide by: give least or most_rank"] if self.least is self.most_rank is None else []

    def columns_read(self) -> tuple[str, ...]:
        name = f"{self.side}_{self.column}"
        return (name, f"{name}_rank")

    def why_drop(self, batch: pa.Table) -> pa.Array:
        likeness, rank = (floats(batch[name]) for name in self.columns_read())
        least = -np.inf if self.least is None else self.least
        most = np.inf if self.most_rank is None else self.most_rank
        rules = [
            (np.isnan(likeness), "class not measured"),
            (likeness < least, "too unlike its class"),
            (rank > most, "another class is nearer"),
        ]
        return first_reasons(len(likeness), rules)
